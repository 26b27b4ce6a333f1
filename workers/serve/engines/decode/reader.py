"""What one caller reads of a text, on the event loop, while a thread writes it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace

from workers.tasks.text_generation.writing import Written


class Reader:
    """Pieces that a caller has not asked for yet become one: a slow caller holds up no text and no more than its own.

    `tell` and `fail` are called by the thread that writes, everything else on the loop that made the reader.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waiting: Written | None = None
        self._error: Exception | None = None

    def tell(self, written: Written) -> None:
        self._on_the_loop(lambda: self._keep(written))

    def fail(self, error: Exception) -> None:
        """What was told before it is still read."""
        self._on_the_loop(lambda: self._break(error))

    async def pieces(self) -> AsyncIterator[Written]:
        """Up to the one with a finish reason."""
        while True:
            await self._news.wait()
            self._news.clear()
            written, self._waiting = self._waiting, None
            if written is not None:
                yield written
                if written.finish_reason is not None:
                    return
            if self._error is not None:
                raise self._error

    def _keep(self, written: Written) -> None:
        before = self._waiting
        self._waiting = written if before is None else replace(written, text=before.text + written.text)
        self._news.set()

    def _break(self, error: Exception) -> None:
        self._error = error
        self._news.set()

    def _on_the_loop(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody reads
            self._loop.call_soon_threadsafe(call)
