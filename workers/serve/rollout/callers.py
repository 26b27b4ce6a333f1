"""Whether a caller is still there: work for one who has hung up is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Left = Callable[[], Awaitable[None]]
"""Makes something to wait for, which finishes when the caller hangs up."""


class HungUp(Exception):
    """The caller hung up before the work was done."""


class Caller:
    """An async context whose body is cut off, as by `asyncio.timeout`, when the caller hangs up: it raises HungUp then.

    Without `left` a caller is taken to stay, until `hang_up` is called for it.
    """

    def __init__(self, left: Left | None) -> None:
        self._left = left
        self._watching: asyncio.Future[None] | None = None
        self._working: asyncio.Task[object] | None = None
        self._gone = False

    def hang_up(self) -> None:
        """A body that has ended, or was cut off before, is left alone."""
        if not self._gone:
            self._gone = True
            if self._working is not None:
                self._working.cancel()

    async def __aenter__(self) -> Self:
        if self._gone:
            raise HungUp
        self._working = asyncio.current_task()
        assert self._working is not None
        self._cancelling = self._working.cancelling()
        if self._left is not None:
            self._watching = asyncio.ensure_future(self._left())
            self._watching.add_done_callback(self._has_left)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        working, self._working = self._working, None
        if self._watching is not None:
            self._watching.cancel()
        assert working is not None
        if self._gone and working.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise HungUp from error

    def _has_left(self, watching: asyncio.Future[None]) -> None:
        if not watching.cancelled():
            watching.exception()  # one who cannot be watched is gone as well
            self.hang_up()
