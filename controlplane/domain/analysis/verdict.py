"""The decision: which rule of the policy speaks now, and whether the ladder may climb."""

from collections.abc import Iterator
from math import exp, log
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, MetricState
from controlplane.domain.analysis.unit_counts import Arrived
from schemas.rollouts import CanaryPolicy, CanaryVerdict
from schemas.serving import CanaryMetricName

Rule = Literal[
    "harm", "sample_ratio", "lost_boots", "labelled_share", "provider_silence", "safe", "max_duration", "none"
]
LOST_BOOTS: Final = 2
LABELLED_SHARE_ALPHA: Final = 0.001


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricEvidence(_Frozen):
    """Both e-processes of one metric as logs, beside what the policy asks for."""

    name: CanaryMetricName
    margin: float
    harm: float
    harm_peak: float
    harm_needed: float
    safe: float
    safe_needed: float
    counts: Counts
    """Units of the closed blocks, and events among them, in each arm."""
    blocks: int
    in_step: Counts
    phi: float
    """The dispersion index at the last block: by so much its evidence was divided, if it is more than 1."""
    phi_peak: float

    @property
    def harmful(self) -> bool:
        return self.harm_peak >= self.harm_needed

    @property
    def proven_safe(self) -> bool:
        return self.safe >= self.safe_needed


class ShareEvidence(_Frozen):
    """How often answers got a label, as a log e-value that it is not equally often on both arms."""

    peak: float
    needed: float
    now: float
    counts: Counts
    """Answers, and those with a label, of the cohorts whose labels were waited for."""
    late: Counts
    """Labels, and wrong ones, that came after the wait."""


class Ladder(_Frozen):
    """Whether the present step may be left; the last one is left by promotion only."""

    step: int
    weight: float
    last: bool
    may_leave: bool
    reason: str


class Assessment(_Frozen):
    verdict: CanaryVerdict | None
    rule: Rule
    reason: str
    ladder: Ladder
    metrics: tuple[MetricEvidence, ...]
    sample_ratio: float
    """The largest log Bayes factor so far."""
    sample_ratio_needed: float
    labelled: ShareEvidence | None
    """None: no metric needs labels."""
    arrived: Arrived
    """Everything that was folded: what callers abandoned is shown whether or not the policy compares it."""
    unfolded: Arrived
    seconds: float
    """Since the canary first got weight."""

    @property
    def ends_by_itself(self) -> bool:
        return self.rule == "provider_silence"


def assess(policy: CanaryPolicy, state: AnalysisState, now: float, last_heard: float | None) -> Assessment:
    """HARM is asked first, and an analysis that is not valid promotes nothing; a timer never says SAFE."""
    metrics = metric_evidence(policy, state)
    ladder = _ladder(policy, state, metrics)
    rule, reason = (
        _harm(metrics)
        or _invalid(policy, state)
        or _silence(policy, state, now, last_heard)
        or _safe(metrics, ladder)
        or _max_duration(policy, now - state.started_at)
        or ("none", f"the evidence decides nothing yet; {ladder.reason}")
    )
    return Assessment(
        verdict=VERDICTS[rule],
        rule=rule,
        reason=reason,
        ladder=ladder,
        metrics=metrics,
        sample_ratio=state.sample_ratio_peak,
        sample_ratio_needed=log(1 / policy.sample_ratio_alpha),
        labelled=_share_evidence(policy, state),
        arrived=state.arrived,
        unfolded=state.unfolded,
        seconds=now - state.started_at,
    )


def next_step(policy: CanaryPolicy, state: AnalysisState) -> Ladder:
    """May the present step be left? Time is arrival time: a silent provider moves no ladder."""
    return _ladder(policy, state, metric_evidence(policy, state))


def invalid_for_good(policy: CanaryPolicy, state: AnalysisState) -> bool:
    """Only a new rollout ends this; silence ends by itself."""
    return _invalid(policy, state) is not None


def e_value(log_e: float) -> str:
    """An e-value as people read it: three figures, `1,420`; from a million on `10^8.5`, as the largest fit no float."""
    if log_e >= log(1e6):
        return f"10^{log_e / log(10):.1f}"
    rounded = float(f"{exp(log_e):.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:g}" if rounded >= 0.001 else "< 0.001"


VERDICTS: Final[dict[Rule, CanaryVerdict | None]] = {
    "harm": "HARM",
    "sample_ratio": "INVALID",
    "lost_boots": "INVALID",
    "labelled_share": "INVALID",
    "provider_silence": "INVALID",
    "safe": "SAFE",
    "max_duration": "INCONCLUSIVE",
    "none": None,
}
Finding = tuple[Rule, str] | None


def metric_evidence(policy: CanaryPolicy, state: AnalysisState) -> tuple[MetricEvidence, ...]:
    """By metric, in the policy's order."""
    margins = {metric.name: policy.margin_of(metric) for metric in policy.metrics}
    return tuple(_metric_evidence(policy, metric, margins[metric.name], state.step) for metric in state.metrics)


def _metric_evidence(policy: CanaryPolicy, metric: MetricState, margin: float, step: int) -> MetricEvidence:
    return MetricEvidence(
        name=metric.name,
        margin=margin,
        harm=metric.harm_now(),
        harm_peak=metric.harm_peak,
        harm_needed=log(len(policy.metrics) / policy.harm_alpha),
        safe=metric.safe,
        safe_needed=log(1 / policy.safe_alpha),
        counts=metric.total(),
        blocks=len(metric.closed),
        in_step=metric.in_step(step),
        phi=metric.closed[-1].phi if metric.closed else 1.0,
        phi_peak=max((block.phi for block in metric.closed), default=1.0),
    )


def _share_evidence(policy: CanaryPolicy, state: AnalysisState) -> ShareEvidence | None:
    if "wrong" not in policy.metric_names():
        return None
    return ShareEvidence(
        peak=state.labelled.peak,
        needed=log(1 / LABELLED_SHARE_ALPHA),
        now=state.labelled.now(),
        counts=state.labelled.total(),
        late=state.late_labels,
    )


def _ladder(policy: CanaryPolicy, state: AnalysisState, metrics: tuple[MetricEvidence, ...]) -> Ladder:
    step = state.step
    waits = _waits(policy, state, metrics)
    last = step >= len(policy.steps) - 1
    ready = "the last step is left by promotion only" if last else "the step may be left"
    return Ladder(
        step=step,
        weight=policy.steps[min(step, len(policy.steps) - 1)],
        last=last,
        may_leave=not waits,
        reason=f"step {step + 1} of {len(policy.steps)} waits: {'; '.join(waits)}" if waits else ready,
    )


def _waits(policy: CanaryPolicy, state: AnalysisState, metrics: tuple[MetricEvidence, ...]) -> list[str]:
    first = state.step_state(state.step).first_second
    seconds = 0 if first is None else state.horizon + 1 - first
    waits = [] if seconds >= policy.step_seconds else [f"{seconds} of {policy.step_seconds:g} s are observed"]
    for metric in metrics:
        fewest = min(metric.in_step.stable_units, metric.in_step.canary_units)
        if fewest < policy.step_units:
            waits.append(f"`{metric.name}` has {fewest} of {policy.step_units} units on its smaller arm")
        if metric.harmful:
            waits.append(f"`{metric.name}` shows harm")
    if (invalid := _invalid(policy, state)) is not None:
        waits.append(invalid[1])
    elif state.step >= len(policy.steps) - 1:
        waits += _doubts(policy, state)
    return waits


def _doubts(policy: CanaryPolicy, state: AnalysisState) -> Iterator[str]:
    """SAFE is as sure as the labels that it was counted from: while they may be chosen, nothing is promoted."""
    found, doubtful = state.labelled.now(), log(1 / policy.safe_alpha)
    if found >= doubtful:
        yield (
            f"labels may not come equally often for both arms ({e_value(found)} to 1; nothing is promoted from "
            f"{e_value(doubtful)} to 1 on)"
        )


def _harm(metrics: tuple[MetricEvidence, ...]) -> Finding:
    for metric in metrics:
        if metric.harmful:
            evidence = f"evidence {e_value(metric.harm_peak)}, needed {e_value(metric.harm_needed)}"
            return "harm", f"the canary's `{metric.name}` rate is above the stable one's: {evidence}"
    return None


def _invalid(policy: CanaryPolicy, state: AnalysisState) -> Finding:
    if state.sample_ratio_peak >= log(1 / policy.sample_ratio_alpha):
        factor = f"{e_value(state.sample_ratio_peak)} to 1"
        return "sample_ratio", f"units did not reach the arms in the ratio of the applied weight ({factor} against it)"
    if len(state.lost_boots) >= LOST_BOOTS:
        return "lost_boots", f"{len(state.lost_boots)} gateway boots were lost while the canary had weight"
    return _unequal_labels(policy, state)


def _unequal_labels(policy: CanaryPolicy, state: AnalysisState) -> Finding:
    share = _share_evidence(policy, state)
    if share is None or share.peak < share.needed:
        return None
    counts = share.counts
    stable, canary = counts.stable_events / counts.stable_units, counts.canary_events / counts.canary_units
    return "labelled_share", (
        f"within {policy.label_wait_seconds:g} s labels came for {stable:.1%} of the stable version's answers and for "
        f"{canary:.1%} of the canary's ({e_value(share.peak)} to 1 against equal shares): what is missing may be what "
        "differs"
    )


def _silence(policy: CanaryPolicy, state: AnalysisState, now: float, last_heard: float | None) -> Finding:
    silent = now - max(state.started_at, last_heard or state.started_at)
    if silent < policy.provider_silence_seconds:
        return None
    return "provider_silence", f"no gateway has sent an observation for {silent:.0f} s; this ends when one does"


def _safe(metrics: tuple[MetricEvidence, ...], ladder: Ladder) -> Finding:
    if not (ladder.last and ladder.may_leave and all(metric.proven_safe for metric in metrics)):
        return None
    found = (f"less than {metric.margin:g} worse in `{metric.name}` ({e_value(metric.safe)})" for metric in metrics)
    return "safe", f"the canary is {' and '.join(found)}: evidence of {e_value(metrics[0].safe_needed)} was needed"


def _max_duration(policy: CanaryPolicy, seconds: float) -> Finding:
    if seconds < policy.max_seconds:
        return None
    return "max_duration", f"{policy.max_seconds:g} s passed without enough evidence for either side"
