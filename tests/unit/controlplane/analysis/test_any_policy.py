"""Whatever policy is accepted can be folded, judged, explained and made again; what cannot is refused by its field."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from controlplane.domain.analysis.cohorts import Label
from controlplane.domain.analysis.explain import decision_inputs, explain, recompute
from controlplane.domain.analysis.verdict import assess
from schemas.rollouts import CanaryPolicy
from tests.unit.controlplane.analysis.traffic import cell, folded, observed, started

SECONDS = (
    "step_seconds", "tick_seconds", "deadline_seconds", "lease_seconds", "boot_silence_seconds",
    "provider_silence_seconds", "max_seconds", "invalid_grace_seconds", "label_wait_seconds",
)  # fmt: skip
RATES = ("harm_alpha", "safe_alpha", "sample_ratio_alpha", "forgetting", "label_noise")


def number(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of all sizes, and now and then one that is hardly meant."""
    sizes = st.floats(math.log(low), math.log(high)).map(math.exp)
    return st.one_of(sizes, sizes, st.sampled_from([low, high]), sizes, st.sampled_from([low / 10, high * 10, 0.0]))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(["tick_seconds", "label_wait_seconds", "step_seconds"]))):
        document[name] = draw(number(0.01, 3600))
    for name in draw(st.sets(st.sampled_from(RATES), max_size=2)):
        document[name] = draw(number(1e-9 if name.endswith("alpha") else 0.01, 0.5))
    document["metrics"] = [
        {
            "name": name,
            "margin": draw(number(0.0001, 0.4999)),
            "prior": [draw(number(0.001, 1e6)), draw(number(0.001, 1e6))],
        }
        for name in ("error", "wrong")
    ]
    document["steps"] = [draw(number(0.0001, 0.4999)), 0.5]
    return document


def traffic(weight: float) -> tuple[list[Any], list[Label]]:
    seen = [observed(second, cell(1, weight, (20, second % 3), (5, 5 if second > 20 else 0))) for second in range(40)]
    labels = [
        Label(1, arm, second % 4 == 0, second, second + second % 5)
        for second in range(40)
        for arm in ("stable", "canary")
    ]
    return seen, labels  # type: ignore[return-value]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(document=documents())
def test_a_policy_that_is_accepted_can_be_folded(document: dict[str, Any]) -> None:
    try:
        policy = CanaryPolicy.model_validate(document)
    except ValidationError:
        assume(False)
    seen, labels = traffic(policy.steps[0])
    state = started(policy)
    for horizon in (5, 30, 200):
        state = folded(policy, state, horizon, seen, labels)
        found = assess(policy, state, float(horizon), float(horizon))
        assert all(math.isfinite(value) for metric in found.metrics for value in (metric.harm, metric.safe, metric.phi))
        explain(policy, found)
        inputs = json.loads(json.dumps(decision_inputs(policy, state, float(horizon), float(horizon)), allow_nan=False))
        assert recompute(inputs) == found


EXTREMES = {
    "prior": ([[0.001, 1e6], [1e6, 0.001], [0.001, 0.001]], [[0, 1], [-1, 1], [math.inf, 1], [1, math.nan], [1, 1e7]]),
    "margin": ([0.0001, 0.4999], [0, -0.1, 1e-9, 0.5, math.nan, math.inf]),
}


@pytest.mark.parametrize("field", EXTREMES)
def test_a_metrics_numbers_have_bounds_and_both_ends_can_be_folded(field: str) -> None:
    good, bad = EXTREMES[field]
    for value in good:
        metrics = [{"name": name, "margin": 0.05, field: value} for name in ("error", "wrong")]
        policy = CanaryPolicy.model_validate({"metrics": metrics, "label_wait_seconds": 0})
        seen, labels = traffic(0.05)
        folded(policy, started(policy), 200, seen, labels)
    for value in bad:
        with pytest.raises(ValidationError) as refused:
            CanaryPolicy.model_validate({"metrics": [{"name": "error", "margin": 0.05, field: value}]})
        assert field in refused.value.errors()[0]["loc"]


@pytest.mark.parametrize("field", [*SECONDS, *RATES])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, 1e308])
def test_a_number_that_makes_no_sense_is_refused_by_its_field(field: str, value: float) -> None:
    with pytest.raises(ValidationError) as refused:
        CanaryPolicy.model_validate({field: value})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_noise_that_leaves_nothing_of_a_margin_and_a_wait_that_never_ends_are_refused() -> None:
    wrong = {"metrics": [{"name": "wrong", "margin": 0.05}]}
    with pytest.raises(ValidationError, match=r"label_noise is 0\.4999: it leaves 1e-05 of the margin of `wrong`"):
        CanaryPolicy.model_validate({**wrong, "label_noise": 0.4999})
    with pytest.raises(ValidationError, match=r"label_wait_seconds is 600: expected less than max_seconds, 600"):
        CanaryPolicy.model_validate({**wrong, "label_wait_seconds": 600, "max_seconds": 600})


def test_noise_scales_the_margin_of_labels_alone() -> None:
    metrics = [{"name": "error", "margin": 0.01}, {"name": "wrong", "margin": 0.05}]
    policy = CanaryPolicy.model_validate({"metrics": metrics, "label_noise": 0.2})
    assert [policy.margin_of(metric) for metric in policy.metrics] == pytest.approx([0.01, 0.03])
