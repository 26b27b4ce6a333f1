"""Micro-batches: rows of one version that wait together are computed together (the session plans how)."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from workers.serve.sessions import Logits
from workers.serve.threads import deliver

MAX_BATCH = 32
"""Rows that are computed together."""
MAX_WAITING_ROWS = 512
"""Of one version; a request beyond is answered 503."""

Run = Callable[[Sequence[str]], Logits]


class Overloaded(Exception):
    """Too many rows wait for this version."""


@dataclass(eq=False)
class _Item:
    """One unit's rows; more of them than a batch holds are computed alone."""

    texts: Sequence[str]
    future: asyncio.Future[Logits]
    loop: asyncio.AbstractEventLoop


class Lane:
    """One version's queue and its thread.

    A thread per version, not one for all: ORT releases the GIL, and a canary that hangs must not hang the stable
    version too, which would hide the harm as well as do more of it.
    """

    def __init__(self, run: Run, observe_batch: Callable[[int], None], max_waiting_rows: int) -> None:
        self._run, self._observe_batch, self._max_waiting_rows = run, observe_batch, max_waiting_rows
        self._items: deque[_Item] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._open = True
        threading.Thread(target=self._work, name="batches", daemon=True).start()

    def submit(self, texts: Sequence[str]) -> asyncio.Future[Logits]:
        """Awaiting the future with a deadline is the caller's part; a cancelled one is not computed."""
        loop = asyncio.get_running_loop()
        item = _Item(texts, loop.create_future(), loop)
        with self._changed:
            if self._rows + len(texts) > self._max_waiting_rows:
                raise Overloaded
            self._items.append(item)
            self._rows += len(texts)
            self._changed.notify()
        return item.future

    def close(self) -> None:
        """What still waits is computed, then the thread ends."""
        with self._changed:
            self._open = False
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._take():
            waiting = [item for item in batch if not item.future.cancelled()]
            if waiting:
                self._compute(waiting)

    def _take(self) -> list[_Item]:
        """Whatever waits, as far as it fits; empty: closed.

        Nothing waits for company: rows that come while a batch is computed are the next one, and an idle processor
        gains nothing (one row more costs as long in a batch as after it, but for the 2 ms of a batch's own).
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or not self._open)
            batch: list[_Item] = []
            rows = 0
            while self._items and (not batch or rows + len(self._items[0].texts) <= MAX_BATCH):
                batch.append(self._items.popleft())
                rows += len(batch[-1].texts)
            self._rows -= rows
            return batch

    def _run_batch(self, texts: list[str]) -> Logits:
        self._observe_batch(len(texts))
        return self._run(texts)

    def _compute(self, items: list[_Item]) -> None:
        try:
            rows = self._run_batch([text for item in items for text in item.texts])
        except Exception as error:
            if len(items) == 1:
                deliver(items[0].loop, items[0].future, error=error)
                return
            # one unit's row must not make errors of its neighbours
            for item in items:
                self._compute([item])
            return
        start = 0
        for item in items:
            deliver(item.loop, item.future, result=rows[start : start + len(item.texts)])
            start += len(item.texts)


class Batcher:
    """One lane per version; lives on the event loop."""

    def __init__(
        self,
        logits: Callable[[UUID, Sequence[str]], Logits],
        observe_batch: Callable[[int], None],
        max_waiting_rows: int = MAX_WAITING_ROWS,
    ) -> None:
        self._logits, self._observe_batch, self._max_waiting_rows = logits, observe_batch, max_waiting_rows
        self._lanes: dict[UUID, Lane] = {}

    def submit(self, version: UUID, texts: Sequence[str]) -> asyncio.Future[Logits]:
        if version not in self._lanes:
            run: Run = lambda rows: self._logits(version, rows)  # noqa: E731
            self._lanes[version] = Lane(run, self._observe_batch, self._max_waiting_rows)
        return self._lanes[version].submit(texts)

    def close(self, version: UUID) -> None:
        lane = self._lanes.pop(version, None)
        if lane is not None:
            lane.close()

    def close_all(self) -> None:
        for version in tuple(self._lanes):
            self.close(version)
