"""How both HTTP doors bear clients that say little: a connection that does not bring its request in time is closed.

uvicorn waits for ever for the rest of a request. `impatient` takes its HTTP/1.1 protocol as an argument, because the
contract may import nothing of it.
"""

import asyncio
import json
import resource
from typing import Any

REQUEST_SECONDS = 30.0
"""From a connection's begin, or its last answer, until the next request is here whole."""
OWING = frozenset({"IDLE", "SEND_BODY"})
"""States of h11 in which it is the client's turn."""


def allow_many_connections() -> None:
    """As many as the system lets us: idle ones of strangers must not keep others out while their time runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Impatient:
    """Mixed into uvicorn's H11Protocol, whose attributes these are."""

    conn: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    request_seconds = REQUEST_SECONDS
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # type: ignore[misc]
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # type: ignore[misc]
        self._forget()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)  # type: ignore[misc]

    def send_400_response(self, msg: str) -> None:
        """Headers that are too large, or no HTTP at all: nothing of it reaches the application."""
        self.transport.write(_problem(msg))
        self.transport.close()

    def _look(self) -> None:
        if str(self.conn.their_state) not in OWING:
            self._forget()
        elif self._end is None:
            self._end = self.loop.call_later(self.request_seconds, self.transport.close)

    def _forget(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


def impatient(base: type[Any], seconds: float = REQUEST_SECONDS) -> type[Any]:
    """`base` (uvicorn's H11Protocol), with an end to its patience and with problems for what is no HTTP."""
    return type("Impatient", (_Impatient, base), {"request_seconds": seconds})


def _problem(message: str) -> bytes:
    body = json.dumps(
        {
            "type": "https://graftwork.dev/problems/http",
            "title": "This is no HTTP request that we read",
            "status": 400,
            "detail": message,
        }
    ).encode()
    head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"connection: close\r\n\r\n" + body
