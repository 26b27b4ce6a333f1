"""One shared notifier for everybody who waits: for the next event, or for a deployment's next generation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from controlplane.errors import Busy
from controlplane.store.database import Database
from controlplane.transport.event_log import last_seq

T = TypeVar("T")
POLL_SECONDS = 0.25


class Feed:
    """Wakes waiting requests when a fact was committed, here or by another process.

    Waiting costs no thread: forty polls that waited in the sync thread pool made a POST wait 7.6 s.
    """

    def __init__(self, database: Database, subscribers: int) -> None:
        self._database = database
        self._free = subscribers
        self._changed = asyncio.Event()
        self._last = -1
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the database for as long as the application lives."""
        self._loop = asyncio.get_running_loop()
        self._database.on_commit.append(self._heard)
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            self._database.on_commit.remove(self._heard)
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def wait_for(
        self, look: Callable[[], T | None], seconds: float, gone: Callable[[], Awaitable[None]]
    ) -> T | None:
        """Look, and look again whenever something was committed, until there is an answer or the time is up.

        A caller who is gone frees his place at once. Raises Busy (503) when too many are waiting already.
        """
        if self._free <= 0:
            raise Busy("too many requests are waiting for events; try again")
        self._free -= 1
        left = asyncio.ensure_future(gone())
        try:
            deadline = asyncio.get_running_loop().time() + seconds
            while True:
                changed = self._changed
                found = await asyncio.to_thread(look)
                remaining = deadline - asyncio.get_running_loop().time()
                if found is not None or remaining <= 0 or left.done():
                    return found
                woken = asyncio.ensure_future(changed.wait())
                await asyncio.wait((woken, left), timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
        finally:
            left.cancel()
            self._free += 1

    def _heard(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _watch(self) -> None:
        """Other processes commit too: one cheap look for all who wait."""
        while True:
            with contextlib.suppress(Exception):  # a database that is away for a moment must not end the watch
                seq = await asyncio.to_thread(self._look)
                if seq != self._last:
                    self._last = seq
                    self._wake()
            await asyncio.sleep(POLL_SECONDS)

    def _look(self) -> int:
        with self._database.read() as session:
            return last_seq(session)
