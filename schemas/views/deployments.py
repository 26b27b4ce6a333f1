"""Deployments, gateways and rollbacks as the API shows them."""

from datetime import datetime
from uuid import UUID

from schemas.base import View
from schemas.phases import RollbackPhase
from schemas.rollouts import RolloutPolicy
from schemas.serving import Applied
from schemas.views.holds import HoldView


class DesiredView(View):
    """A generation as people read it: without the signing key."""

    generation: int
    stable: UUID | None
    stable_version: str | None
    """`name/version` of it."""
    canary: UUID | None
    canary_version: str | None
    weight: float
    rollout_id: UUID | None
    step: int
    """The step that the rollout is at, counted from 1; 0 without a canary."""
    reason: str
    actor: str
    created_at: datetime


class DeploymentView(View):
    name: str
    model: str
    alias: str
    revision: int
    """The revision of the policy, as the deployment's history counts them."""
    generation: int
    frozen: bool
    frozen_reason: str | None
    holds: list[HoldView]
    """What auditors placed on the whole of it: while one stands no rollout of it gains ground."""
    warnings: list[str] = []
    """What its owner should look at, such as a wait that is shorter than labels take."""
    desired: DesiredView | None
    """None before the first release."""
    created_at: datetime
    policy: RolloutPolicy


class GatewayView(View):
    gateway: str
    boot: UUID
    live: bool
    registered_at: datetime
    reported_at: datetime | None
    generation: int
    applied_weight: float
    loaded: list[UUID]
    loaded_versions: list[str]
    """`name/version` of each."""
    watermark: int
    late_seconds: int
    late_units: int


class AppliedView(Applied):
    stable: UUID | None
    stable_version: str | None
    canary: UUID | None
    canary_version: str | None


class ServedView(View):
    at: datetime
    desired: DesiredView | None
    applied: list[AppliedView]


class RollbackView(View):
    id: UUID
    deployment: str
    target: UUID
    target_version: str
    previous: UUID
    previous_version: str
    phase: RollbackPhase
    force: bool
    deadline: datetime
    unconfirmed: list[str]
    """Gateways that did not prove that they can serve the target."""
    reason: str
    actor: str
    created_at: datetime
    finished_at: datetime | None
