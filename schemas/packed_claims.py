"""What a prediction id says, in as few bytes as it takes: people copy ids from tables and applications keep them."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from schemas.serving import PredictionClaims

FORM: Final = 1
"""The first byte. Another form of ids has another; earlier ones were JSON, which begins with a brace."""
HAS_ROLLOUT, IS_CANARY, IS_COUNTED, IS_SESSION, HEX_UNIT, HEX_OUTCOME = (1 << bit for bit in range(6))
KNOWN_FLAGS: Final = (1 << 6) - 1


def pack(claims: PredictionClaims) -> bytes:
    """The form, flags, ids of 16 bytes each, whole numbers, and texts behind their lengths."""
    flags = (
        (HAS_ROLLOUT if claims.r else 0)
        | (IS_CANARY if claims.a == "canary" else 0)
        | (IS_COUNTED if claims.n else 0)
        | (IS_SESSION if claims.k else 0)
        | (HEX_UNIT if _is_hex(claims.u) else 0)
        | (HEX_OUTCOME if _is_hex(claims.c) else 0)
    )
    ids = [one.bytes for one in (claims.v, claims.b, claims.r) if one is not None]
    numbers = [_number(one) for one in (claims.g, claims.s, claims.i, claims.t)]
    texts = [_text(claims.d, as_hex=False), _text(claims.u, as_hex=_is_hex(claims.u))]
    return b"".join((bytes((FORM, flags)), *ids, *numbers, *texts, _text(claims.c, as_hex=_is_hex(claims.c))))


def unpack(data: bytes) -> PredictionClaims:
    """Raises ValueError for anything but what `pack` makes."""
    if data[:1] == b"{":
        return PredictionClaims.model_validate_json(data)
    left = _Bytes(data)
    form, flags = left.take(2)
    if form != FORM or flags & ~KNOWN_FLAGS:
        raise ValueError(f"form {form} with flags {flags}: expected form {FORM}")
    version, boot = UUID(bytes=left.take(16)), UUID(bytes=left.take(16))
    rollout = UUID(bytes=left.take(16)) if flags & HAS_ROLLOUT else None
    generation, step, row, second = (left.number() for _ in range(4))
    deployment, unit, outcome = (left.text(as_hex=bool(flags & flag)) for flag in (0, HEX_UNIT, HEX_OUTCOME))
    left.end()
    return PredictionClaims(
        d=deployment,
        r=rollout,
        g=generation,
        s=step,
        v=version,
        a="canary" if flags & IS_CANARY else "stable",
        u=unit,
        i=row,
        c=outcome,
        n=bool(flags & IS_COUNTED),
        k=bool(flags & IS_SESSION),
        b=boot,
        t=second,
    )


class _Bytes:
    """What is left to read."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("it ends too early")
        self._at += count
        return taken

    def number(self) -> int:
        found = shift = 0
        while (byte := self.take(1)[0]) > 127:
            found |= (byte & 127) << shift
            shift += 7
        return found | byte << shift

    def text(self, *, as_hex: bool) -> str:
        data = self.take(self.number())
        return data.hex() if as_hex else data.decode()

    def end(self) -> None:
        if self._at < len(self._data):
            raise ValueError("it goes on behind its end")


def _number(value: int) -> bytes:
    """Seven bits a byte, the least first; the last byte alone is below 128."""
    return bytes(_sevens(value))


def _sevens(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value


def _text(value: str, *, as_hex: bool) -> bytes:
    data = bytes.fromhex(value) if as_hex else value.encode()
    return _number(len(data)) + data


def _is_hex(value: str) -> bool:
    """Whether two of its characters may be one byte, and come back as they were."""
    return len(value) % 2 == 0 and set(value) <= set("0123456789abcdef")
