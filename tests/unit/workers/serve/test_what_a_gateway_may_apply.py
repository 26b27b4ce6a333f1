"""A canary has its weight only while its lease outlasts the second and the journal is written; all else ends safely."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from schemas.artifacts import ArtifactRef
from schemas.serving import GatewayBoot, Generation, ObservationAnswer
from tests.support.builders.models import served_version
from workers.base.arrays import Logits
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival
from workers.serve.counting.uplink import Uplink
from workers.serve.engines.graph.engine import GraphEngine
from workers.serve.engines.graph.sessions import Sessions
from workers.serve.rollout.lease import Lease
from workers.serve.rollout.state import State
from workers.serve.rollout.units import Units
from workers.tasks.text_classification.smoke import SMOKE_ROW, SmokeFailed

BOOT, ROLLOUT = UUID(int=1), UUID(int=2)
STABLE, CANARY = served_version(1), served_version(2)
GENERATION = Generation(
    deployment="d", generation=3, stable=STABLE, canary=CANARY, weight=1.0, rollout_id=ROLLOUT, salt="s", signing_key=""
)


class PlantedEngine:
    """Every version answers `value`."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def load(self, version: str, adapter: Path, max_length: int | None = None) -> None: ...
    def unload(self, version: str) -> None: ...

    def logits(self, texts: Sequence[str], version: str) -> Logits:
        return np.full((len(texts), 2), self.value, np.float32)


class NoArtifacts:
    def fetch(self, ref: ArtifactRef) -> Path:
        return Path("planted")


def sessions(engine: PlantedEngine) -> Sessions:
    return Sessions(NoArtifacts(), lambda *_: engine)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.clock = BootClock(lambda: 1_000.0, lambda: self.now)
        self.path = folder / "boot.journal"
        self.journal = Journal(self.path, BOOT)
        loaded = sessions(PlantedEngine())
        loaded.load(STABLE)
        loaded.load(CANARY)
        ledger = Ledger(BOOT, self.clock, self.journal)
        engine = GraphEngine(loaded, Metrics())
        self.state = State(BOOT, self.clock, self.journal, ledger, engine, newest=GENERATION, in_force=GENERATION)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def test_a_lease_must_outlast_the_whole_second(bench: Bench) -> None:
    bench.state.lease = Lease(ROLLOUT, until=100.9)
    assert bench.state.weight_at(1_000) == 0.0
    bench.state.lease = Lease(ROLLOUT, until=101.0)
    assert bench.state.weight_at(1_000) == 1.0
    assert bench.state.weight_at(1_001) == 0.0


def test_a_canary_has_no_weight_while_arrivals_cannot_be_journalled(bench: Bench) -> None:
    bench.state.lease = Lease(ROLLOUT, until=200.0)
    bench.journal.healthy = False
    assert bench.state.weight_at(1_000) == 0.0
    bench.journal.healthy = True
    assert bench.state.weight_at(1_000) == 1.0


def test_a_lease_runs_from_when_the_observation_was_sent_however_long_the_answer_takes(bench: Bench) -> None:
    class SlowControlPlane:
        async def observe(self, _body: str) -> ObservationAnswer:
            bench.now += 4.0
            return ObservationAnswer(watermark=1_000, lease_seconds=15.0)

    boot = GatewayBoot(boot=BOOT, gateway="g", deployment="d", first_second=1_000, sent_second=1_000)
    control: Any = SlowControlPlane()
    asyncio.run(Uplink(boot, bench.state, control, Metrics())._send(1_000, "{}"))
    assert bench.state.lease == Lease(ROLLOUT, until=115.0)


def test_a_request_that_the_server_gives_up_is_an_error_of_its_arm(bench: Bench) -> None:
    metrics = Metrics()

    async def run() -> None:
        hanging = asyncio.Event()
        loop = asyncio.get_running_loop()

        class HangingEngine(PlantedEngine):
            def logits(self, texts: Sequence[str], version: str) -> Logits:
                if list(texts) == [SMOKE_ROW]:
                    return super().logits(texts, version)
                loop.call_soon_threadsafe(hanging.set)
                asyncio.run_coroutine_threadsafe(stop.wait(), loop).result(30)
                raise RuntimeError("stopped")

        stop = asyncio.Event()
        loaded = sessions(HangingEngine())
        loaded.load(STABLE)
        bench.state.engine = GraphEngine(loaded, metrics)
        request = asyncio.create_task(Units(bench.state, metrics).answer(("one",), None))
        await asyncio.wait_for(hanging.wait(), 30)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        stop.set()
        bench.state.engine.close()

    asyncio.run(run())
    bench.now += 1.0
    [observation] = bench.state.ledger.seal(3, 0.0)
    [cell] = observation.generations
    assert (cell.stable.units, cell.stable.error) == (1, 1)
    labels = {"variant": "stable", "version": "sentiment/1", "outcome": "stopping"}
    assert metrics.registry.get_sample_value("graftwork_gateway_requests_total", labels) == 1


def test_a_boot_that_ends_with_an_open_unit_leaves_it_to_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal", BOOT)
    journal.start(Arrival(100, 4, 0.25, "canary"))
    journal.close()
    remains = read_remains(tmp_path / "a.journal")
    assert remains is not None
    assert remains.lost[0].generations[0].canary.error == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_version_whose_smoke_row_is_not_finite_is_not_loaded(value: float) -> None:
    engine = PlantedEngine(value)
    loading = sessions(engine)
    with pytest.raises(SmokeFailed, match="not finite"):
        loading.load(STABLE)
    assert loading.loaded == ()
    engine.value = 1.0
    loading.load(STABLE)
    engine.value = value
    with pytest.raises(SmokeFailed, match="not finite"):
        loading.smoke(STABLE.id)
