"""A decision in plain words, and the same decision made again from its stored inputs."""

from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import JsonValue

from controlplane.domain.analysis.blocks import remake, remake_share
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, ratio_log_e
from controlplane.domain.analysis.unit_counts import END_METRICS, Arrived
from controlplane.domain.analysis.verdict import Assessment, MetricEvidence, ShareEvidence, assess, e_value
from schemas.rollouts import CanaryPolicy

RULES = {
    "harm": "HARM: evidence that the canary is worse; asked before every other rule",
    "sample_ratio": "INVALID: the sample ratio is wrong; only a new rollout ends this",
    "lost_boots": "INVALID: gateways were lost under the canary; only a new rollout ends this",
    "labelled_share": "INVALID: labels do not come equally often for both arms; only a new rollout ends this",
    "provider_silence": "INVALID: no observations; ends by itself",
    "safe": "SAFE: evidence on every metric, at the last step",
    "none": "no rule has spoken yet",
}
OUT_OF_TIME = {
    "hold": "INCONCLUSIVE: the maximum duration passed; `on_inconclusive: hold`: a person decides",
    "rollback": "INCONCLUSIVE: the maximum duration passed; `on_inconclusive: rollback`: the stable version stays",
    "promote": "INCONCLUSIVE: the maximum duration passed; `on_inconclusive: promote`: no evidence is asked for",
}


def decision_inputs(
    policy: CanaryPolicy, state: AnalysisState, now: float, last_heard: float | None
) -> dict[str, JsonValue]:
    """Everything that `recompute` needs, as plain JSON; the sessions' keys are nobody's business after the fold."""
    steps = tuple(step.model_copy(update={"keys": ()}) for step in state.steps)
    bare = state.model_copy(update={"steps": steps})
    return {
        "policy": policy.model_dump(mode="json"),
        "analysis": bare.model_dump(mode="json"),
        "now": now,
        "last_heard": last_heard,
    }


def stored_policy(inputs: Mapping[str, JsonValue]) -> CanaryPolicy:
    """The one that was in force when it was decided."""
    return CanaryPolicy.model_validate(inputs["policy"])


def recompute(inputs: Mapping[str, JsonValue]) -> Assessment:
    """The evidence is made anew from counts: no stored e-value, peak or dispersion index is believed."""
    policy = stored_policy(inputs)
    stored = AnalysisState.model_validate(inputs["analysis"])
    now, last_heard = cast(float, inputs["now"]), cast(float | None, inputs["last_heard"])
    return assess(policy, _remade(policy, stored), now, last_heard)


def _remade(policy: CanaryPolicy, stored: AnalysisState) -> AnalysisState:
    peak = max(0.0, stored.sample_ratio_log_e(), ratio_log_e(stored.sample_ratio_at_peak))
    return stored.model_copy(
        update={
            "metrics": tuple(remake(policy, metric) for metric in stored.metrics),
            "labelled": remake_share(policy, stored.labelled),
            "sample_ratio_peak": peak,
        }
    )


def explain(policy: CanaryPolicy, assessment: Assessment) -> list[str]:
    """What `graftwork why` prints, one line each."""
    ladder = assessment.ladder
    out_of_time = assessment.rule == "max_duration"
    return [
        f"verdict: {assessment.verdict or 'none yet'}, because {assessment.reason}",
        f"rule: {OUT_OF_TIME[policy.on_inconclusive] if out_of_time else RULES[assessment.rule]}",
        f"ladder: step {ladder.step + 1} of {len(policy.steps)}, canary weight {ladder.weight:.0%}; {ladder.reason}",
        f"time: {assessment.seconds:.0f} s since the canary first got weight",
        *(line for metric in assessment.metrics for line in _metric_lines(metric)),
        *_uncompared_lines(policy, assessment.arrived),
        f"sample ratio: evidence of a wrong split {_of(assessment.sample_ratio, assessment.sample_ratio_needed)}",
        *_label_lines(assessment.labelled),
        *_unfolded_lines(assessment.unfolded),
    ]


def _metric_lines(metric: MetricEvidence) -> Iterator[str]:
    name = metric.name
    yield f"{name}: {_arms(metric.counts)}, in {metric.blocks} block{'' if metric.blocks == 1 else 's'}"
    now = f", now {e_value(metric.harm)}" if metric.harm < metric.harm_peak else ""
    yield f"{name}: evidence of harm {_of(metric.harm_peak, metric.harm_needed)}{now}"
    yield f"{name}: evidence that it is less than {metric.margin:g} worse {_of(metric.safe, metric.safe_needed)}"
    if metric.blocks:
        yield f"{name}: dispersion {metric.phi:.2f} (at most {metric.phi_peak:.2f}); evidence is divided by it above 1"
    units = metric.in_step
    yield f"{name}: in this step {units.stable_units} stable and {units.canary_units} canary units"


def _uncompared_lines(policy: CanaryPolicy, arrived: Arrived) -> Iterator[str]:
    """How units ended is shown of those ends too that the policy does not compare."""
    for name in END_METRICS:
        if name not in policy.metric_names():
            yield f"{name}: {_arms(arrived.of(name))}; the policy does not compare them"


def _label_lines(labelled: ShareEvidence | None) -> Iterator[str]:
    if labelled is None:
        return
    late = labelled.late
    yield f"labelled: {_arms(labelled.counts)}, of the answers whose labels were waited for"
    now = f", now {e_value(labelled.now)}" if labelled.now < labelled.peak else ""
    yield f"labelled: evidence of unequal shares {_of(labelled.peak, labelled.needed)}{now}"
    if late.units:
        yield (
            f"not counted: labels that came too late, {late.stable_units} of the stable version ({late.stable_events} "
            f"wrong) and {late.canary_units} of the canary ({late.canary_events} wrong)"
        )


def _unfolded_lines(counts: Arrived) -> list[str]:
    if not counts.units:
        return []
    units = f"{counts.stable_units} stable and {counts.canary_units} canary units"
    return [f"not counted: {units} were served at another weight than their generation's"]


def _arms(counts: Counts) -> str:
    stable = _arm(counts.stable_events, counts.stable_units)
    return f"stable {stable}, canary {_arm(counts.canary_events, counts.canary_units)}"


def _arm(events: int, units: int) -> str:
    return f"{events} of {units} units ({events / units:.2%})" if units else "no units"


def _of(log_e: float, needed: float) -> str:
    return f"{e_value(log_e)} / needed {e_value(needed)}"
