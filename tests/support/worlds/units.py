"""One gateway's units in virtual time: the product's clock, journal and ledger around an engine without a model."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from schemas.serving import Generation, Observation
from tests.support.builders.models import served_version
from tests.support.streaming_engine import StreamingEngine
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.metrics import Metrics
from workers.serve.rollout.lease import Lease
from workers.serve.rollout.state import State
from workers.serve.rollout.units import Units

BOOT, ROLLOUT = UUID(int=1), UUID(int=2)
STABLE, CANARY = served_version(1), served_version(2)
SIGNING_KEY: Final = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IA=="


class UnitsInVirtualTime:
    """To be made within a loop of `tests.support.virtual_time`; its seconds begin at 1000."""

    def __init__(self, folder: Path, **generation: Any) -> None:
        loop = asyncio.get_running_loop()
        self.clock = BootClock(lambda: 1_000.0, loop.time)
        self.path = folder / "boot.journal"
        self.journal = Journal(self.path, BOOT)
        self.engine, self.metrics = StreamingEngine((STABLE.id, CANARY.id)), Metrics()
        given = {"deployment": "d", "generation": 1, "stable": STABLE, "signing_key": SIGNING_KEY, **generation}
        serving = Generation.model_validate(given)
        ledger = Ledger(BOOT, self.clock, self.journal)
        lease = Lease(ROLLOUT, until=1e12)
        self.state = State(BOOT, self.clock, self.journal, ledger, self.engine, lease, serving, serving)
        self.units = Units(self.state, self.metrics)
        self.told: list[Observation] = []

    def seal(self) -> list[int]:
        """The seconds that are told now."""
        fresh = list(self.state.ledger.seal(1, 0.0))
        for observation in fresh:
            self.journal.seal(observation.second, observation.model_dump_json())
        self.told += fresh
        return [observation.second for observation in fresh]

    async def seal_all(self) -> None:
        """Once the second that now runs is over; the control plane takes them all."""
        await asyncio.sleep(1.0)
        self.seal()
        for observation in self.told:
            self.journal.settle(observation.second)

    def outcomes(self) -> dict[str, int]:
        """As Prometheus counts them."""
        found: Counter[str] = Counter()
        for family in self.metrics.requests.collect():
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels["outcome"]] += int(sample.value)
        return dict(found)

    def counted(self) -> dict[str, int]:
        """As the control plane is told of them, both arms together."""
        arms = [arm for one in self.told for cell in one.generations for arm in (cell.stable, cell.canary)]
        units, errors = sum(arm.units for arm in arms), sum(arm.error for arm in arms)
        abandoned = sum(arm.abandoned for arm in arms)
        ends = {"ok": units - errors - abandoned, "error": errors, "abandoned": abandoned}
        return {end: number for end, number in ends.items() if number}
