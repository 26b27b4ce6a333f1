"""Daemon threads: work that may hang must not keep a gateway from ending."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Like `asyncio.to_thread`, whose pool is joined at exit: a hanging load would hang the shutdown."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except Exception as error:
            deliver(loop, future, error=error)
        else:
            deliver(loop, future, result=result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future


def deliver(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[T],
    *,
    result: T | None = None,
    error: Exception | None = None,
) -> None:
    """Finish a future from another thread; a future given up, or a loop that has ended, is no error."""

    def finish() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # None is a result where T allows it

    if not loop.is_closed():
        loop.call_soon_threadsafe(finish)
