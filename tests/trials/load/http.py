"""HTTP/1.1 over asyncio's own sockets: so light that two cores are left for the system under load."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

IDLE_SECONDS = 3.0
"""Our servers close an idle connection after 5 s: one that may be closing is not used again."""


class NoAnswer(Exception):
    """The connection could not be made, or ended before the answer."""


@dataclass(frozen=True)
class Request:
    url: str
    """The server's URL: scheme, host and port."""
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Pool:
    """Connections kept alive, as many as requests are on their way at once."""

    def __init__(self) -> None:
        self._idle: dict[str, deque[tuple[float, _Connection]]] = {}

    async def send(self, request: Request) -> Answer:
        """Raises NoAnswer. A request given up takes its connection with it."""
        connection = await self._connection(request.url)
        try:
            answer = await connection.ask(_encode(request))
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle[request.url].append((asyncio.get_running_loop().time(), connection))
        return answer

    def close(self) -> None:
        for idle in self._idle.values():
            for _, connection in idle:
                connection.close()
            idle.clear()

    async def _connection(self, url: str) -> "_Connection":
        idle = self._idle.setdefault(url, deque())
        now = asyncio.get_running_loop().time()
        while idle:
            since, connection = idle.pop()
            if connection.reusable and now - since < IDLE_SECONDS:
                return connection
            connection.close()
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        try:
            _, fresh = await loop.create_connection(_Connection, parts.hostname or "", parts.port or 80)
        except OSError as error:
            raise NoAnswer(f"no connection: {type(error).__name__}") from error
        return fresh


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self._head: tuple[int, dict[str, str]] | None = None
        self.reusable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._fail("the connection ended before the answer")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            self._parse()
        except ValueError:
            self.reusable = False
            self._fail("an answer that is no HTTP/1.1 with a length")

    async def ask(self, data: bytes) -> Answer:
        assert self._transport is not None
        if not self.reusable:
            raise NoAnswer("the connection ended before the request")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(why))

    def _parse(self) -> None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = _read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        status, headers = self._head
        length = 0 if status in (204, 304) else int(headers["content-length"]) if "content-length" in headers else -1
        if length < 0:
            raise ValueError("no length")
        if len(self._buffer) < length:
            return
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        if headers.get("connection", "").lower() == "close":
            self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(status, headers, body))


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(first[9:12]), headers  # after `HTTP/1.1 `


def _encode(request: Request) -> bytes:
    headers = {"host": urlsplit(request.url).netloc, **request.headers}
    if request.body or request.method != "GET":
        headers["content-length"] = str(len(request.body))
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body
