"""The policy of a rollout, its phases and verdicts: `design/canary.md` in types."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from schemas.artifacts import Fraction, Name
from schemas.base import Strict, Tolerant
from schemas.serving import MetricName, Randomize

RolloutPhase = Literal[
    "Queued", "Gating", "Verifying", "Progressing", "Paused", "Promoted", "RolledBack", "Aborted", "Superseded"
]
"""Gating: gates are judged. Verifying: live gateways load it and answer a smoke row. Progressing: the canary's ladder.
Paused: the ladder stands (INCONCLUSIVE with `hold`, INVALID, or a person). The last four are final."""
CanaryVerdict = Literal["HARM", "SAFE", "INCONCLUSIVE", "INVALID"]
GateStatus = Literal["Passed", "Failed", "Error", "Inconclusive", "NotApplicable", "Waived"]


class ErrorMetric(Strict):
    name: Literal["error"] = "error"
    margin: float = Field(default=0.01, gt=0, lt=0.5)
    prior: tuple[float, float] = (0.2, 10.0)
    # Beta(a, b) of the forecast rate


class WrongMetric(Strict):
    name: Literal["wrong"]
    margin: float = Field(gt=0, lt=0.5)
    # no default: only its owner knows how much worse a model may be
    prior: tuple[float, float] = (2.0, 8.0)


Metric = Annotated[ErrorMetric | WrongMetric, Field(discriminator="name")]


class MinAccuracy(Strict):
    """The version's accuracy on a split: its interval's lower end, and the margin below the champion's."""

    gate: Literal["accuracy"] = "accuracy"
    minimum: Fraction
    # of the Wilson interval's lower bound
    not_below_champion_by: Fraction | None = None
    # comparative: the point estimates on the same rows; not applicable to a first release


class MaxAttackSuccess(Strict):
    """The attack's success rate: its interval's upper end must not pass `maximum`."""

    gate: Literal["attack"] = "attack"
    maximum: Fraction
    not_above_champion_by: Fraction | None = None


class ExportParity(Strict):
    """The served graph answers as the trained model does."""

    gate: Literal["parity"] = "parity"
    max_abs_diff: float = Field(default=1e-3, gt=0)


Gate = Annotated[MinAccuracy | MaxAttackSuccess | ExportParity, Field(discriminator="gate")]


class CanaryPolicy(Strict):
    """Defaults are the specification's."""

    randomize: Randomize = "request"
    steps: tuple[Fraction, ...] = (0.05, 0.10, 0.25, 0.50)
    step_seconds: float = Field(default=60, ge=0)
    step_units: int = Field(default=30, ge=1)
    # per arm, of every metric
    tick_seconds: float = Field(default=10, gt=0)
    deadline_seconds: float = Field(default=5, gt=0)
    lease_seconds: float = Field(default=15, gt=0)
    boot_silence_seconds: float = Field(default=15, gt=0)
    provider_silence_seconds: float = Field(default=60, gt=0)
    max_seconds: float = Field(default=24 * 3600, gt=0)
    invalid_grace_seconds: float = Field(default=300, ge=0)
    # how long an INVALID rollout keeps its weight
    on_inconclusive: Literal["hold", "rollback", "promote"] = "hold"
    metrics: tuple[Metric, ...] = Field(default=(ErrorMetric(),), min_length=1, max_length=2)
    harm_alpha: float = Field(default=0.04, gt=0, lt=1)
    safe_alpha: float = Field(default=0.05, gt=0, lt=1)
    sample_ratio_alpha: float = Field(default=0.001, gt=0, lt=1)
    forgetting: float = Field(default=0.9, gt=0, le=1)

    @model_validator(mode="after")
    def _the_ladder_climbs_to_a_half(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)) or not self.steps or self.steps[0] <= 0 or self.steps[-1] != 0.5:
            raise ValueError("steps must climb and end at 0.5, the step that only promotion leaves")
        if len({metric.name for metric in self.metrics}) != len(self.metrics):
            raise ValueError("each metric may be named once")
        return self

    @model_validator(mode="after")
    def _one_slow_unit_silences_no_gateway(self) -> Self:
        # a second is told when its slowest unit has met the deadline: until then nothing is heard of the gateway
        for name in ("lease_seconds", "boot_silence_seconds"):
            if self.deadline_seconds >= getattr(self, name):
                raise ValueError(
                    f"deadline_seconds is {self.deadline_seconds:g}: expected less than {name}, {getattr(self, name):g}"
                )
        return self

    def metric_names(self) -> tuple[MetricName, ...]:
        return tuple(metric.name for metric in self.metrics)


class RolloutPolicy(Strict):
    gates: tuple[Gate, ...] = (ExportParity(),)
    canary: CanaryPolicy = CanaryPolicy()
    verify_seconds: float = Field(default=120, gt=0)
    # how long live gateways have to load a version and answer a smoke row


class DeploymentSpec(Strict):
    """What a deployment follows and by which policy its releases go; the policy may change, model and alias may not."""

    model: Name
    alias: Name = "champion"
    policy: RolloutPolicy = RolloutPolicy()


class RolloutRequest(Strict):
    """Put a version on its way to a deployment."""

    deployment: Name
    model_version: str = Field(min_length=1, max_length=200)
    # an id, `model/3` or `model@alias`
    reason: str = Field(min_length=1, max_length=500)
    waive_gates: str | None = Field(default=None, min_length=1, max_length=500)
    # why gates that do not pass shall not stop it; needs role releaser, and is kept for good


class OperatorRequest(Strict):
    """A person's word on a rollout. With `revision`, refused when the rollout has changed since that was read."""

    reason: str = Field(min_length=1, max_length=500)
    revision: int | None = Field(default=None, ge=0)


class RollbackRequest(Strict):
    reason: str = Field(min_length=1, max_length=500)
    target: UUID | None = None
    # a version that served before; None: the one before the present one
    force: bool = False
    # move the pointer without proof that gateways can load the target


class GateVerdict(Tolerant):
    gate: str
    status: GateStatus
    reason: str
    evidence: tuple[str, ...] = ()
    """Digests of the attachments it was judged by."""


class Decision(Tolerant):
    """One decision of a rollout, with everything that it takes to recompute it."""

    kind: Literal["gates", "verification", "canary", "operator"]
    verdict: str
    reason: str
    inputs: dict[str, JsonValue]
    digest: str
    """SHA-256 of the canonical JSON of `inputs`."""
