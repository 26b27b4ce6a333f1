"""Rollouts and their decisions as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from schemas.base import View
from schemas.rollouts import GateVerdict, RolloutPhase, RolloutPolicy


class RolloutView(View):
    id: UUID
    deployment: str
    model_version_id: UUID
    previous: UUID | None
    pipeline: str | None
    run_id: UUID | None
    phase: RolloutPhase
    step: int
    weight: float
    gates: list[GateVerdict]
    waived_gates: str | None
    verdict: str | None
    hold: str | None
    """Why it is Paused: operator, inconclusive, invalid."""
    reason: str
    actor: str
    correlationid: str
    created_at: datetime
    started_at: datetime | None
    step_started_at: datetime | None
    folded_at: datetime | None
    finished_at: datetime | None
    revision: int


class RolloutDetail(RolloutView):
    policy: RolloutPolicy
    analysis: list[str]
    """The evidence as it stands, in words; empty before the canary got weight."""


class DecisionView(View):
    id: UUID
    rollout_id: UUID
    kind: str
    verdict: str
    reason: str
    actor: str
    at: datetime
    digest: str


class DecisionDetail(DecisionView):
    why: list[str]
    recomputed: bool
    """Judging the stored inputs again gives the same verdict, and they have their digest."""
    inputs: dict[str, JsonValue]
