"""Rollouts and their decisions as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from schemas.base import View
from schemas.phases import RolloutPhase
from schemas.rollouts import GateVerdict, RolloutPolicy
from schemas.serving import CanaryMetricName
from schemas.views.holds import HoldView


class RolloutView(View):
    id: UUID
    deployment: str
    model_version_id: UUID
    model_version: str
    """`name/version` of it."""
    previous: UUID | None
    """The version that was stable when it started."""
    previous_version: str | None
    pipeline: str | None
    run_id: UUID | None
    phase: RolloutPhase
    step: int
    """Which of `steps` it is in, counted from 1; 0 before the canary first got weight."""
    steps: int
    """How many its policy has."""
    weight: float
    policy_revision: int
    """Which of the deployment's policies it goes by, as its history counts them."""
    gates: list[GateVerdict]
    waived_gates: str | None
    verdict: str | None
    paused_for: str | None
    """Why it is Paused: operator, inconclusive, invalid."""
    holds: list[HoldView]
    """What auditors placed on it or on its deployment: while one stands it gains no ground."""
    fold_error: str | None
    """What the last fold of its evidence failed with: it is tried again, and the canary's lease lapses meanwhile."""
    fold_failures: int
    """How many folds in a row have failed."""
    waits_for: str
    """What keeps it where it is, with the verb that ends that: a freeze, a rollout in front, a hold, a pause, silence.

    Empty: nothing but time and evidence.
    """
    reason: str
    actor: str
    correlationid: str
    created_at: datetime
    started_at: datetime | None
    step_started_at: datetime | None
    folded_at: datetime | None
    finished_at: datetime | None
    revision: int

    @property
    def step_in_words(self) -> str:
        """`2 of 4`, as tables show it; empty before the canary first got weight."""
        return f"{self.step} of {self.steps}" if self.step else ""


class LabelDelay(View):
    """How long labels came after the unit had arrived, in seconds."""

    labels: int
    p50: float
    p95: float


class LabelledBy(View):
    """What one token said of a rollout's answers."""

    actor: str
    """The token's name."""
    token_id: UUID
    labels: int
    """How many it gave, whether they counted or not."""
    stable: int
    """How many of the stable version's answers, that counted."""
    stable_wrong: int
    """How many of those said that the answer was wrong."""
    canary: int
    canary_wrong: int


class RolloutDetail(RolloutView):
    analysis: list[str]
    """The evidence as it stands, in words; empty before the canary got weight."""
    label_delays: dict[str, LabelDelay]
    """By arm, how long the latest labels came after their answers."""
    labelled_by: list[LabelledBy]
    """Who labelled its answers, the most labels first."""
    warnings: list[str]
    """What its owner should look at, such as a wait that is shorter than labels take."""
    policy: RolloutPolicy


class ArmCounts(View):
    """What one arm's share of a metric's closed blocks holds."""

    units: int
    events: int


class EvidencePoint(View):
    """A metric's evidence right after one of its blocks was closed."""

    at: datetime
    """The block's last second of arrival."""
    generation: int
    harm: float
    """Natural logarithm of the evidence that the canary is worse."""
    safe: float
    """Natural logarithm of the evidence that it is worse by less than the margin."""
    stable: ArmCounts
    """Up to this point, as the canary's are."""
    canary: ArmCounts


class MetricCurve(View):
    """How the evidence of one metric grew: made anew from the counts of its closed blocks."""

    metric: CanaryMetricName
    margin: float
    harm_needed: float
    """The logarithm at which `harm` means HARM; once reached it stays, whatever comes later."""
    safe_needed: float
    """The logarithm that `safe` has to have at the last step, in every metric, for SAFE."""
    blocks: int
    """Closed blocks in all: points are as many, or evenly taken from them."""
    points: list[EvidencePoint]


class EvidenceView(View):
    rollout_id: UUID
    curves: list[MetricCurve]
    """Empty before the canary got weight."""


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
