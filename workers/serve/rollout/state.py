"""What one gateway serves now: the generation in force, the newest one known, and the lease."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from schemas.serving import Generation, Probed
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.engines.port import Engine
from workers.serve.rollout.lease import Lease, applied_weight


@dataclass
class State:
    """Shared by a gateway's tasks; touched on the event loop only."""

    boot: UUID
    clock: BootClock
    journal: Journal
    ledger: Ledger
    engine: Engine
    lease: Lease = field(default_factory=Lease)
    newest: Generation | None = None
    """As the control plane desires it; it is in force once its stable version is loaded."""
    in_force: Generation | None = None
    probed: Probed | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something that a report should not wait to say."""

    @property
    def loaded(self) -> tuple[UUID, ...]:
        return self.engine.loaded

    def renew(self, rollout: UUID | None, until: float) -> None:
        """The control plane has answered an observation."""
        self.lease = Lease(rollout, until)

    def weight_at(self, second: int) -> float:
        """What applies in this second. The lease must outlast it: a weight holds for whole seconds."""
        if self.in_force is None or self.newest is None:
            return 0.0
        leased = self.lease.covers(self.in_force.rollout_id, self.clock.start_of(second + 1))
        return applied_weight(
            self.in_force,
            newest=self.newest.generation,
            loaded=self.engine.loaded,
            leased=leased and self.journal.healthy,
        )

    def weight_shown(self) -> float:
        """What applies at this moment, for reports and metrics."""
        second = self.clock.second()
        if self.in_force is None:
            return 0.0
        return self.ledger.weight_shown(second, self.in_force.generation, self.weight_at(second))
