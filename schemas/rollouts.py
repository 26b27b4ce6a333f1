"""The policy of a rollout, its phases and verdicts."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from schemas.artifacts import Name
from schemas.base import Strict, Tolerant
from schemas.gates import Gate, ParityGate
from schemas.serving import CanaryMetricName, Randomize

CanaryVerdict = Literal["HARM", "SAFE", "INCONCLUSIVE", "INVALID"]
GateStatus = Literal["Passed", "Failed", "Error", "Inconclusive", "NotApplicable", "Waived"]


LEAST_MARGIN: Final = 0.0001
DAY: Final = 24 * 3600
Margin = Annotated[float, Field(ge=LEAST_MARGIN, lt=0.5, allow_inf_nan=False)]
Pseudocount = Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0.0001, le=1, allow_inf_nan=False)]
Alpha = Annotated[float, Field(ge=1e-9, le=0.5, allow_inf_nan=False)]
Duration = Annotated[float, Field(ge=0, le=365 * DAY, allow_inf_nan=False)]
"""Seconds, at most a year."""
Span = Annotated[float, Field(ge=0.01, le=365 * DAY, allow_inf_nan=False)]
"""Seconds, not none."""


class ErrorMetric(Strict):
    """How often a request ends in an error, or after its deadline."""

    name: Literal["error"] = "error"
    """The metric."""
    margin: Margin = 0.01
    """So much more often than the stable version is harm. Unit: rate."""
    prior: tuple[Pseudocount, Pseudocount] = (0.2, 10.0)
    """[a, b] of the Beta prior of the forecast rate. Unit: pseudo-counts."""


class WrongMetric(Strict):
    """How often an answer differs from the label that feedback gives it."""

    name: Literal["wrong"]
    """The metric."""
    margin: Margin = Field(examples=[0.05])
    """So much more often than the stable version is harm; no default, for only its owner knows how much worse a model
    may be. It is one of labelled answers: see `label_noise`. Unit: rate."""
    prior: tuple[Pseudocount, Pseudocount] = (2.0, 8.0)
    """[a, b] of the Beta prior of the forecast rate. Unit: pseudo-counts."""


class AbandonedMetric(Strict):
    """How often a caller hangs up before the first token, or before the answer: a slow version drives them away before
    its deadline does."""

    name: Literal["abandoned"]
    """The metric."""
    margin: Margin = Field(examples=[0.02])
    """So much more often than the stable version is harm; no default, for only its owner knows how patient callers
    are. Unit: rate."""
    prior: tuple[Pseudocount, Pseudocount] = (0.2, 10.0)
    """[a, b] of the Beta prior of the forecast rate. Unit: pseudo-counts."""


CanaryMetric = Annotated[ErrorMetric | WrongMetric | AbandonedMetric, Field(discriminator="name")]


class CanaryPolicy(Strict):
    """By which evidence a canary climbs, is promoted or is rolled back."""

    randomize: Randomize = "request"
    """What is drawn to an arm: each request by itself, or a session with all of its requests."""
    steps: tuple[Weight, ...] = Field(default=(0.05, 0.10, 0.25, 0.50), max_length=100)
    """The canary's share at each step; it must climb and end at 0.5, which only promotion leaves. Unit: fraction."""
    step_seconds: Duration = 60
    """A step lasts at least so long."""
    step_units: int = Field(default=30, ge=1, le=1_000_000_000)
    """A step lasts until each arm has so many of every metric. Unit: units (requests, or sessions)."""
    tick_seconds: float = Field(default=10, ge=0.01, le=3600, allow_inf_nan=False)
    """Evidence is judged once so much of it has come together."""
    deadline_seconds: Span = 5
    """An answer, or the first token of a streamed one, that takes longer is an error."""
    deadline_total_seconds: Span | None = None
    """A streamed answer that takes longer until its last token is an error; null: four fifths of the shorter of
    lease_seconds and boot_silence_seconds, which is 12 where they are 15, and at least deadline_seconds."""
    lease_seconds: Span = 15
    """A gateway that has not heard from the control plane for so long gives the canary no more traffic."""
    boot_silence_seconds: Span = 15
    """A gateway that has sent no observation for so long is not waited for."""
    provider_silence_seconds: Span = 60
    """When no gateway has sent one for so long the rollout is INVALID."""
    max_seconds: Span = 24 * 3600
    """A canary without a verdict by then is INCONCLUSIVE."""
    invalid_grace_seconds: Duration = 300
    """How long an INVALID rollout keeps its weight."""
    on_inconclusive: Literal["hold", "rollback", "promote"] = "hold"
    """What an INCONCLUSIVE canary leads to; `hold` waits for a person."""
    metrics: tuple[CanaryMetric, ...] = Field(default=(ErrorMetric(),), min_length=1, max_length=3)
    """What is compared between the arms; each metric may be named once."""
    label_wait_seconds: float = Field(default=30, ge=0, le=30 * DAY, allow_inf_nan=False)
    """How long until labels are as complete as they get: `wrong` speaks so much later, and what comes after it is kept
    and never folded."""
    label_noise: float = Field(default=0, ge=0, lt=0.5, allow_inf_nan=False)
    """How many labels are wrong themselves; the margin of `wrong` is scaled by 1 - 2 * label_noise. Unit: fraction."""
    harm_alpha: Alpha = 0.04
    """How often a canary as good as the stable version may be rolled back. Unit: probability."""
    safe_alpha: Alpha = 0.05
    """How often a canary worse by its margin may be promoted. Unit: probability."""
    sample_ratio_alpha: Alpha = 0.001
    """How often a right split of the traffic may be taken for a wrong one. Unit: probability."""
    forgetting: float = Field(default=0.9, ge=0.01, le=1, allow_inf_nan=False)
    """What older evidence weighs in the forecast, from one block to the next. Unit: factor."""

    @model_validator(mode="after")
    def _the_ladder_climbs_to_a_half(self) -> Self:
        if list(self.steps) != sorted(set(self.steps)) or self.steps[-1:] != (0.5,):
            raise ValueError("steps must climb and end at 0.5, the step that only promotion leaves")
        if len({metric.name for metric in self.metrics}) != len(self.metrics):
            raise ValueError("each metric may be named once")
        return self

    @model_validator(mode="after")
    def _one_slow_unit_silences_no_gateway(self) -> Self:
        # a second is told when its slowest unit has met the deadline: until then nothing is heard of the gateway
        for deadline in ("deadline_seconds", "deadline_total_seconds"):
            for name in ("lease_seconds", "boot_silence_seconds"):
                seconds, silence = getattr(self, deadline), getattr(self, name)
                if seconds is not None and seconds >= silence:
                    raise ValueError(f"{deadline} is {seconds:g}: expected less than {name}, {silence:g}")
        return self

    @model_validator(mode="after")
    def _an_answer_may_end_after_it_has_begun(self) -> Self:
        if (total := self.deadline_total_seconds) is not None and total < self.deadline_seconds:
            raise ValueError(
                f"deadline_total_seconds is {total:g}: expected at least deadline_seconds, {self.deadline_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def _labels_can_be_waited_for(self) -> Self:
        if "wrong" in self.metric_names() and self.label_wait_seconds >= self.max_seconds:
            raise ValueError(
                f"label_wait_seconds is {self.label_wait_seconds:g}: expected less than max_seconds, "
                f"{self.max_seconds:g}, for no label would ever be folded"
            )
        for metric in self.metrics:
            if self.margin_of(metric) < LEAST_MARGIN:
                raise ValueError(
                    f"label_noise is {self.label_noise:g}: it leaves {self.margin_of(metric):.2g} of the margin of "
                    f"`{metric.name}`, {metric.margin:g}, expected at least {LEAST_MARGIN:g}"
                )
        return self

    def total_deadline(self) -> float:
        """Seconds until a streamed answer must have ended. What is left of the silence is for telling of it."""
        if self.deadline_total_seconds is not None:
            return self.deadline_total_seconds
        return max(self.deadline_seconds, 0.8 * min(self.lease_seconds, self.boot_silence_seconds))

    def margin_of(self, metric: CanaryMetric) -> float:
        """The metric's margin in what is observed: wrong labels hide a part of every true difference."""
        return metric.margin * (1 - 2 * self.label_noise) if metric.name == "wrong" else metric.margin

    def metric_names(self) -> tuple[CanaryMetricName, ...]:
        return tuple(metric.name for metric in self.metrics)


class RolloutPolicy(Strict):
    """How a version comes to serve."""

    gates: tuple[Gate, ...] = (ParityGate(),)
    """What a version must have proved before it gets any traffic. That it was exported, and that it knows every class
    that the champion knows, is always asked."""
    may_drop: tuple[str, ...] = Field(default=(), max_length=1000, examples=[["spam"]])
    """Classes that the champion knows and the version need not."""
    canary: CanaryPolicy = CanaryPolicy()
    """How it is compared with the stable version on live traffic."""
    verify_seconds: Span = 120
    """How long live gateways have to load a version and answer a smoke row."""


class DeploymentSpec(Strict):
    """What a deployment follows and by which policy its releases go; the policy may change, model and alias may not."""

    model: Name = Field(examples=["sentiment"])
    """The registered model whose versions it serves; not to be changed later."""
    alias: Name = "champion"
    """The alias that its stable version moves; not to be changed later."""
    policy: RolloutPolicy = RolloutPolicy()
    """How a version comes to serve; a rollout under way keeps the one that it began with."""


class RolloutRequest(Strict):
    """Put a version on its way to a deployment."""

    deployment: Name = Field(examples=["reviews"])
    """Where it shall serve."""
    model_version: str = Field(min_length=1, max_length=200, examples=["sentiment/3"])
    """An id, `model/3` or `model@alias`."""
    reason: str = Field(min_length=1, max_length=500, examples=["the newest reviews"])
    """Why; kept for good."""
    waive_gates: str | None = Field(default=None, min_length=1, max_length=500)
    """Why gates that do not pass shall not stop it; needs role releaser, and is kept for good; null: they stop it."""


class OperatorRequest(Strict):
    """A person's word on a rollout. With `revision`, refused when the rollout has changed since that was read."""

    reason: str = Field(min_length=1, max_length=500)
    """Why; kept for good."""
    revision: int | None = Field(default=None, ge=0)
    """The rollout's revision as you read it; null: whatever it is now. Unit: none."""


class RollbackRequest(Strict):
    """Let a version serve that served before."""

    reason: str = Field(min_length=1, max_length=500)
    """Why; kept for good."""
    target: str | None = Field(default=None, min_length=1, max_length=200, examples=["sentiment/2"])
    """A version that served before: an id, `model/2` or `model@alias`; null: what served before the present one."""
    force: bool = False
    """Whether to move the pointer without proof that gateways can load the target."""


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
