"""What cannot be done in time is refused on arrival, whichever arm it would have been drawn to."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import numpy as np
import pytest

from schemas.serving import Generation
from tests.support.builders.models import served_version
from workers.base.arrays import Logits
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.graph.admission import Admission
from workers.serve.engines.graph.batcher import MAX_WAITING_ROWS, Batcher
from workers.serve.engines.graph.costs import weigh
from workers.serve.problems import Problem
from workers.serve.rollout.draw import drawable

STABLE, CANARY = served_version(1), served_version(2)
SECONDS = {STABLE.id: 0.01, CANARY.id: 0.1}
"""How long a version takes for a short row: the canary is ten times slower."""
ROW = "four"
GENERATION = Generation(
    deployment="d", generation=1, stable=STABLE, canary=CANARY, deadline_seconds=1.0, signing_key=""
)


class Bench:
    """Both versions measured on a planted clock; while `gate` is closed nothing is worked off."""

    def __init__(self) -> None:
        self.now = 0.0
        self.gate = threading.Event()
        self.metrics = Metrics()
        self.batcher = Batcher(self._logits, lambda _rows: None, lambda: self.now)
        self.admission = Admission(self.batcher, self.metrics)

    def _logits(self, version: UUID, texts: Sequence[str]) -> Logits:
        assert self.gate.wait(30)
        self.now += sum(weigh(texts, 64)) / weigh([ROW], 64)[0] * SECONDS[version]
        return np.zeros((len(texts), 2), np.float32)

    async def measured(self) -> None:
        self.gate.set()
        for version in (STABLE, CANARY):
            await self.batcher.lane(version).submit([ROW])
        self.gate.clear()

    def refusal(self, rows: int, weight: float = 0.0) -> Problem | None:
        try:
            self.admission.check_deadline([ROW] * rows, drawable(GENERATION, weight), GENERATION.deadline_seconds)
        except Problem as problem:
            return problem
        return None

    def refused(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value("graftwork_gateway_refused_total", {"reason": reason})
        return value or 0.0


def run(use: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await use(bench)
        finally:
            bench.gate.set()
            bench.batcher.close_all()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_request_that_can_never_meet_its_deadline_is_told_so_and_what_would_fit() -> None:
    async def use(bench: Bench) -> None:
        await bench.measured()
        assert bench.refusal(90) is None
        refusal = bench.refusal(101)
        assert refusal is not None
        assert (refusal.status, refusal.slug) == (503, "too-large-for-deadline")
        assert "101 rows of this length take about 1.0 s" in refusal.detail
        assert "send at most 100 rows" in refusal.detail
        assert "Retry-After" in refusal.headers
        assert (bench.refused("too-large"), bench.refused("deadline")) == (1, 0)

    run(use)


def test_what_waits_ahead_decides_and_retry_after_says_when_it_is_worked_off() -> None:
    async def use(bench: Bench) -> None:
        await bench.measured()
        lane = bench.batcher.lane(STABLE)
        waiting = [lane.submit([ROW]) for _ in range(98)]
        assert bench.refusal(1) is None
        waiting += [lane.submit([ROW]) for _ in range(202)]
        refusal = bench.refusal(1)
        assert refusal is not None
        assert (refusal.status, refusal.slug, refusal.headers["Retry-After"]) == (503, "overloaded", "3")
        assert (bench.refused("too-large"), bench.refused("deadline")) == (0, 1)
        bench.gate.set()
        await asyncio.gather(*waiting)
        assert bench.refusal(1) is None

    run(use)


def test_a_small_request_does_not_stand_behind_the_whole_of_a_large_one() -> None:
    async def use(bench: Bench) -> None:
        await bench.measured()
        lane = bench.batcher.lane(STABLE)
        waiting = [lane.submit([ROW] * 60) for _ in range(10)]
        assert bench.refusal(1) is None
        assert bench.refusal(20) is not None
        bench.gate.set()
        await asyncio.gather(*waiting)

    run(use)


def test_a_queue_that_stable_would_work_off_is_no_reason_to_refuse_for_a_slow_canary() -> None:
    """It must come to light: who is drawn to it and waits in vain is its error."""

    async def use(bench: Bench) -> None:
        await bench.measured()
        waiting = [bench.batcher.lane(CANARY).submit([ROW]) for _ in range(50)]
        assert bench.refusal(1, weight=0.5) is None
        waiting += [bench.batcher.lane(CANARY).submit([ROW]) for _ in range(60)]
        assert bench.refusal(1, weight=0.5) is not None
        assert bench.refusal(1, weight=0.0) is None  # nobody is drawn to it
        bench.gate.set()
        await asyncio.gather(*waiting)

    run(use)


def test_a_canary_that_takes_all_traffic_is_not_judged_by_a_stable_version_that_has_none() -> None:
    async def use(bench: Bench) -> None:
        await bench.measured()
        assert bench.refusal(50, weight=0.5) is None
        assert bench.refusal(50, weight=1.0) is not None
        assert bench.refusal(5, weight=1.0) is None

    run(use)


def test_nothing_is_refused_before_anything_is_known() -> None:
    async def use(bench: Bench) -> None:
        assert bench.refusal(1_000_000, weight=0.5) is None
        waiting = bench.batcher.lane(STABLE).submit([ROW])
        assert bench.refusal(1_000_000, weight=0.5) is None
        bench.gate.set()
        await waiting

    run(use)


def test_a_refusal_does_not_last_when_the_machine_has_recovered() -> None:
    """Large requests alone come, all refused by a pace that was measured in a bad moment."""

    async def use(bench: Bench) -> None:
        await bench.measured()
        before = dict(SECONDS)
        try:
            SECONDS[STABLE.id] = 0.001
            assert bench.refusal(500) is not None
            bench.gate.set()
            while bench.refusal(500) is not None:
                bench.now += 10.0
                await asyncio.sleep(0.001)
        finally:
            SECONDS.update(before)

    run(use)


def test_a_lane_that_is_full_takes_nothing_more() -> None:
    async def use(bench: Bench) -> None:
        bench.gate.clear()
        lane = bench.batcher.lane(STABLE)
        future = lane.submit([ROW] * (MAX_WAITING_ROWS + MAX_WAITING_ROWS))
        with pytest.raises(Problem) as caught:
            bench.admission.check_room([ROW], STABLE)
        assert (caught.value.status, caught.value.slug) == (503, "overloaded")
        bench.admission.check_room([ROW], CANARY)
        assert bench.refused("queue") == 1
        future.cancel()

    run(use)
