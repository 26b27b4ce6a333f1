"""The Open Inference Protocol's binary tensors: after a JSON header, elements one behind the other, little-endian.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

HEADER: Final = "Inference-Header-Content-Length"
"""How many bytes of a body are its JSON header."""
_LENGTH = struct.Struct("<I")


class NotBinary(Exception):
    """What was expected of the bytes, and is not so."""


def split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    """The JSON header and what follows it; without a length all of it is JSON."""
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit() and int(header_length[:10]) <= len(body)):
        raise NotBinary(f"expected at most the body's {len(body)} bytes, not {header_length[:20]!r}")
    length = int(header_length[:10])
    return body[:length], body[length:]


def unpack_texts(data: bytes) -> list[str]:
    """BYTES elements, each after its length in four bytes."""
    texts: list[str] = []
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise NotBinary(f"expected a length in four bytes at byte {at} of {len(data)}")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise NotBinary(
                f"expected {length} bytes of element {len(texts)} at byte {at}, and there are {len(data) - at}"
            )
        try:
            texts.append(data[at : at + length].decode())
        except UnicodeDecodeError:
            raise NotBinary(f"expected UTF-8 in element {len(texts)}") from None
        at += length
    return texts


def pack_texts(texts: Iterable[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(part for one in encoded for part in (_LENGTH.pack(len(one)), one))


def pack_floats(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)
