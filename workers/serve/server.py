"""A gateway's HTTP server: before it cuts off what has not ended in time, it gives it up."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import uvicorn

LAST_SECONDS: Final = 1
"""The end of the drain: what is given up still gets so long to be told."""


class Server(uvicorn.Server):
    """A streamed answer that uvicorn cancels looks as if its caller had hung up, which would be nobody's error."""

    def __init__(self, config: uvicorn.Config, drain_seconds: int, give_up: Callable[[], Awaitable[None]]) -> None:
        config.timeout_graceful_shutdown = drain_seconds
        super().__init__(config)
        self._seconds, self._give_up = drain_seconds - LAST_SECONDS, give_up

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        giving_up = asyncio.create_task(self._give_up_in_time())
        try:
            await super().shutdown(sockets)
        finally:
            giving_up.cancel()

    async def _give_up_in_time(self) -> None:
        await asyncio.sleep(self._seconds)
        await self._give_up()
