"""Micro-batches: rows of one version that wait are computed together, a short time's worth at once."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from schemas.serving import ServedVersion
from workers.base.arrays import Logits
from workers.serve.engines.graph.costs import Arrivals, weigh
from workers.serve.engines.graph.fair_queue import FairQueue, Flow, Slice
from workers.serve.engines.pace import Pace
from workers.serve.threads import deliver

MAX_BATCH = 32
"""Rows that are computed together."""
MAX_WAITING_ROWS = 2048
"""Rows that wait for one version: what a lane may hold in memory. Their deadlines refuse requests long before."""
BATCH_SECONDS = 0.02
"""A batch begins with no more than this is expected to take (but for a single row): whoever comes waits so long.
Shorter ones gain little: a row of 64 tokens takes 16 ms of a core by itself, and each batch 2 ms of its own."""
LARGE_PRICE = 4
"""The price of a token in a request that takes several batches: beside small ones without end it has a fifth of the
lane."""
UNMEASURED_TOKENS = 128
"""Tokens of a batch, while nobody knows how long a token takes."""
STALE_SECONDS = 10.0
BUSY_SHARE = 0.9
"""The share of a lane, at most, that a forecast lets smaller requests keep from a larger one."""

Run = Callable[[Sequence[str]], Logits]


class Lane:
    """One version's queue and its thread.

    A thread per version, not one for all: ORT releases the GIL, and a canary that hangs must not hang the stable
    version too, which would hide the harm as well as do more of it.
    """

    def __init__(
        self,
        run: Run,
        max_length: int,
        observe_batch: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._max_length, self._observe_batch, self._clock = run, max_length, observe_batch, clock
        self._queue = FairQueue()
        self._arrivals = Arrivals()
        self._pace = Pace()
        self._promises: dict[Flow, tuple[asyncio.AbstractEventLoop, asyncio.Future[Logits]]] = {}
        self._changed = threading.Condition()
        self._open = True
        threading.Thread(target=self._work, name="batches", daemon=True).start()

    @property
    def seconds_per_token(self) -> float | None:
        """As measured of late; None: nothing has been computed yet."""
        with self._changed:
            return self._pace.seconds_per_token

    def has_room(self, rows: int) -> bool:
        with self._changed:
            return self._queue.waiting_rows + rows <= MAX_WAITING_ROWS

    def alone_seconds(self, texts: Sequence[str], seconds_per_token: float) -> float:
        """How long the request would take if there were no other."""
        return sum(weigh(texts, self._max_length)) * seconds_per_token

    def forecast_seconds(self, texts: Sequence[str], seconds_per_token: float) -> float:
        """How long the request would take from now, with what waits, and with others coming as they lately did.

        Smaller ones that come later pass a larger one: it has what they leave.
        """
        tokens = sum(weigh(texts, self._max_length))
        with self._changed:
            seconds = (tokens + self._queue.ahead_of(tokens, self._price(texts, tokens))) * seconds_per_token
            busy = self._arrivals.of_smaller_ones(tokens, self._clock()) * seconds_per_token
        return seconds / (1.0 - min(busy, BUSY_SHARE))

    def submit(self, texts: Sequence[str]) -> asyncio.Future[Logits]:
        """Awaiting the future with a deadline is the caller's part; what is cancelled is not computed further."""
        flow = self._flow(texts)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Logits] = loop.create_future()
        future.add_done_callback(lambda _: self._forget(flow))
        with self._changed:
            self._promises[flow] = (loop, future)
            self._queue.add(flow)
            self._arrivals.add(flow.remaining, self._clock())
            self._changed.notify()
        return future

    def measure_again(self, text: str) -> None:
        """Compute one row for nobody where the pace is old and nothing else would tell: a refusal must not last."""
        with self._changed:
            if len(self._queue) or self._clock() - self._pace.measured_at < STALE_SECONDS:
                return
            self._queue.add(self._flow([text]))
            self._changed.notify()

    def close(self) -> None:
        """What still waits is computed, then the thread ends."""
        with self._changed:
            self._open = False
            self._changed.notify()

    def _flow(self, texts: Sequence[str]) -> Flow:
        weights = weigh(texts, self._max_length)
        return Flow(texts, weights, self._price(texts, sum(weights)))

    def _price(self, texts: Sequence[str], tokens: int) -> int:
        """What is answered by one batch is not dear, and a single row is that however slow the machine is."""
        return 1 if len(texts) == 1 or tokens <= self._batch_tokens else LARGE_PRICE

    @property
    def _batch_tokens(self) -> float:
        pace = self._pace.seconds_per_token
        return BATCH_SECONDS / pace if pace else UNMEASURED_TOKENS

    def _work(self) -> None:
        while batch := self._take():
            self._compute(batch)

    def _take(self) -> list[Slice]:
        """Whatever is due, as far as it fits; empty: closed.

        Nothing waits for company: rows that come while a batch is computed are the next one, and an idle processor
        gains nothing (one row more costs as long in a batch as after it, but for the 2 ms of a batch's own).
        """
        with self._changed:
            batch: list[Slice] = []
            while not batch and (self._open or len(self._queue)):
                self._changed.wait_for(lambda: len(self._queue) or not self._open)
                batch = self._queue.take(self._batch_tokens, MAX_BATCH)
            return batch

    def _compute(self, batch: Sequence[Slice]) -> None:
        texts = [flow.texts[row] for flow, rows in batch for row in rows]
        began = self._clock()
        try:
            self._observe_batch(len(texts))
            logits = self._run(texts)
            if len(logits) != len(texts):
                raise ValueError(f"{len(logits)} rows of logits for {len(texts)} rows of text")
        except Exception as error:
            if len(batch) == 1:
                self._fail(batch[0][0], error)
                return
            # one request's row must not make errors of its neighbours
            for one in batch:
                self._compute([one])
            return
        self._keep(batch, logits, self._clock() - began)

    def _keep(self, batch: Sequence[Slice], logits: Logits, seconds: float) -> None:
        start = 0
        with self._changed:
            self._pace.measure(sum(flow.weights[row] for flow, rows in batch for row in rows), seconds, self._clock())
            for flow, rows in batch:
                flow.keep(rows, logits[start : start + len(rows)])
                start += len(rows)
        for flow, _ in batch:
            if flow.complete:
                self._finish(flow)

    def _finish(self, flow: Flow) -> None:
        try:
            logits = flow.logits()
        except ValueError as error:  # its batches had rows of different widths
            self._fail(flow, error)
            return
        if promise := self._forget(flow):
            deliver(*promise, result=logits)

    def _fail(self, flow: Flow, error: Exception) -> None:
        if promise := self._forget(flow):
            deliver(*promise, error=error)

    def _forget(self, flow: Flow) -> tuple[asyncio.AbstractEventLoop, asyncio.Future[Logits]] | None:
        with self._changed:
            self._queue.remove(flow)
            return self._promises.pop(flow, None)


class Batcher:
    """One lane per version; lives on the event loop."""

    def __init__(
        self,
        logits: Callable[[UUID, Sequence[str]], Logits],
        observe_batch: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logits, self._observe_batch, self._clock = logits, observe_batch, clock
        self._lanes: dict[UUID, Lane] = {}

    def lane(self, version: ServedVersion) -> Lane:
        if version.id not in self._lanes:
            run: Run = lambda rows: self._logits(version.id, rows)  # noqa: E731
            self._lanes[version.id] = Lane(run, version.graph.identity.max_length, self._observe_batch, self._clock)
        return self._lanes[version.id]

    def close(self, version: UUID) -> None:
        lane = self._lanes.pop(version, None)
        if lane is not None:
            lane.close()

    def close_all(self) -> None:
        for version in tuple(self._lanes):
            self.close(version)
