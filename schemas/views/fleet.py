"""Every deployment in a line, as the API shows them."""

from uuid import UUID

from schemas.base import View
from schemas.phases import RolloutPhase


class FleetRollout(View):
    """What is under way there; else the first in the queue."""

    id: UUID
    model_version: str
    """`name/version` of it."""
    phase: RolloutPhase
    step: int
    """Counted from 1; 0 before the canary first got weight."""
    steps: int
    verdict: str | None
    waits_for: str
    """What a person can end, in words with the verb that ends it; empty: nothing but time and evidence."""


class FleetRow(View):
    deployment: str
    model: str
    alias: str
    stable_version: str | None
    """None before the first release."""
    canary_version: str | None
    weight: float
    """The canary's share of the units, from 0 to 1."""
    generation: int
    gateways: int
    """How many reported lately."""
    rollout: FleetRollout | None
    queued: int
    """Rollouts that wait for their turn."""
    frozen_reason: str | None
    """Why its queue is frozen until somebody resumes it; None: it is not."""
    held: list[str]
    """Who holds the whole of it, and why."""

    @property
    def waits_for_a_person(self) -> bool:
        return bool(self.frozen_reason is not None or self.held or (self.rollout and self.rollout.waits_for))
