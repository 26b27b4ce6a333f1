"""Request bodies as both HTTP doors take them: plain or gzip, and of a bounded size either way."""

import zlib
from typing import Final

from processes.asgi import ASGIApp, Message, Receive, Scope, Send

GZIP: Final = frozenset({"gzip", "x-gzip"})
"""Two names of one coding (RFC 9110, 8.4.1.3)."""
_GZIP_WINDOW = zlib.MAX_WBITS | 16


class BodyRefused(Exception):
    """A body that is not read on; `status` is 413 (too large), 415 (another encoding) or 422 (not what it says).

    `detail` says what was expected of `field`, without naming it again.
    """

    def __init__(self, status: int, detail: str, field: str = "body") -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field

    @property
    def headers(self) -> dict[str, str]:
        """What the refusal says besides its body: a 415 names the codings that would do (RFC 9110, 12.5.3)."""
        return {"Accept-Encoding": "gzip"} if self.status == 415 else {}


class DecodedBody:
    """ASGI middleware: who reads the body gets it decoded, chunk by chunk, and `BodyRefused` when it cannot be taken.

    Nothing is read before somebody asks for it, so a caller who is refused by his token costs no memory. The limit
    is on both sizes: on what comes in, and on what a small body unpacks to.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        encoding = _content_encoding(scope)
        body = _Body(receive, encoding, self._max_bytes)
        if encoding:
            # neither describes what the application reads
            gone = (b"content-encoding", b"content-length")
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in gone]}
        await self._app(scope, body.receive, send)


class _Body:
    """One request's body on its way in."""

    def __init__(self, receive: Receive, encoding: str, max_bytes: int) -> None:
        self._receive, self._encoding, self._max_bytes = receive, encoding, max_bytes
        self._came = self._given = 0
        self._gzip = _Gzip() if encoding in GZIP else None

    async def receive(self) -> Message:
        if self._encoding and self._gzip is None:
            raise BodyRefused(415, f"expected gzip or none, not {self._encoding[:80]!r}", "Content-Encoding")
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        return {**message, "body": self._taken(message.get("body", b""), message.get("more_body", False))}

    def _taken(self, chunk: bytes, more: bool) -> bytes:
        self._came += len(chunk)
        self._check(self._came)
        if self._gzip is None:
            return chunk
        plain = self._gzip.decode(chunk, self._max_bytes - self._given)
        self._given += len(plain)
        self._check(self._given)
        if not more and not self._gzip.complete:
            raise _not_gzip("it ends too early")
        return plain

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            unpacked = " once unpacked" if self._gzip else ""
            raise BodyRefused(413, f"expected at most {self._max_bytes} bytes{unpacked}")


class _Gzip:
    """Members one after the other, as RFC 1952 has them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self.complete = True
        """Nothing has come yet, or a member has just ended."""

    def decode(self, chunk: bytes, room: int) -> bytes:
        """What the chunk unpacks to, at most one byte more than there is room for."""
        plain = bytearray()
        while chunk and len(plain) <= room:
            try:
                plain += self._member.decompress(chunk, room + 1 - len(plain))
            except zlib.error:
                raise _not_gzip("it is damaged, or something else") from None
            chunk = self._member.unconsumed_tail
            self.complete = self._member.eof
            if self._member.eof:
                chunk = self._member.unused_data
                self._member = zlib.decompressobj(_GZIP_WINDOW)
        return bytes(plain)


def _content_encoding(scope: Scope) -> str:
    """Lower case; empty: none, or one that changes nothing."""
    given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"content-encoding"]
    codings = [coding.strip().lower() for value in given for coding in value.split(",")]
    return ", ".join(coding for coding in codings if coding not in ("", "identity"))


def _not_gzip(how: str) -> BodyRefused:
    return BodyRefused(422, f"expected gzip, as its content-encoding says, but {how}")
