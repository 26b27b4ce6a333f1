"""A gate on a metric is refused when its policy is applied, with the field, its value and what was expected."""

import sys
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from schemas.faults import in_words
from schemas.gates import Gate
from schemas.metrics import METRICS, MetricName
from schemas.rollouts import RolloutPolicy

ROWS = {"gate": "metric", "dataset": "reviews", "min_rows": 10}
ATTACK = {"recipe": "deepwordbug", "queries_per_word": 10}
NAMES = [repr(name) for name in get_args(MetricName)]
GATES = " or ".join(repr(one.model_fields["gate"].default) for one in get_args(get_args(Gate)[0]))
WORST = {"metric": "attack_success_rate_at_worst", "attack": ATTACK}


def refused(gate: dict[str, Any]) -> str:
    policy = {"gates": [ROWS | gate]}
    with pytest.raises(ValidationError) as error:
        RolloutPolicy.model_validate(policy)
    [fault] = in_words(error.value, policy)
    return str(fault)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({}, "gates.0.metric: expected a value: it is required"),
        (
            {"metric": "acuracy", "minimum": 0.5},
            f"gates.0.metric: expected {', '.join(NAMES[:-1])} or {NAMES[-1]}, got 'acuracy'; did you mean 'accuracy'?",
        ),
        ({"metric": "accuracy"}, "gates.0.metric: minimum is null: expected a number from 0 to 1 for accuracy"),
        (
            {"metric": "accuracy", "maximum": 0.5},
            "gates.0.metric: maximum is 0.5: expected null and a minimum, for accuracy is better when higher",
        ),
        (
            WORST | {"minimum": 0.5},
            "gates.0.metric: minimum is 0.5: expected null and a maximum, "
            "for attack_success_rate_at_worst is better when lower",
        ),
        (
            WORST | {"minimum": 0.5, "maximum": 0.5},
            "gates.0.metric: minimum is 0.5: expected null and a maximum, "
            "for attack_success_rate_at_worst is better when lower",
        ),
        (
            {"metric": "accuracy", "minimum": 1.01},
            "gates.0.metric: minimum is 1.01: expected a number from 0 to 1 for accuracy",
        ),
        (
            WORST | {"maximum": -0.01},
            "gates.0.metric: maximum is -0.01: expected a number from 0 to 1 for attack_success_rate_at_worst",
        ),
        (
            {"metric": "recall", "minimum": 0.5},
            "gates.0.metric: slice is null: expected a label for recall",
        ),
        (
            {"metric": "accuracy", "slice": "spam", "minimum": 0.5},
            "gates.0.metric: slice is 'spam': expected null for accuracy",
        ),
        (
            {"metric": "accuracy", "minimum": 0.5, "not_worse_than_champion_by": 1.5},
            "gates.0.metric: not_worse_than_champion_by is 1.5: expected at most 1 for accuracy",
        ),
        (
            {"metric": "accuracy", "minimum": 0.5, "not_worse_than_champion_by": -0.1},
            "gates.0.not_worse_than_champion_by: expected at least 0.0, got '-0.1'",
        ),
        (
            {"metric": "macro_f1", "minimum": 0.5, "not_worse_than_champion_by": 0},
            "gates.0.metric: not_worse_than_champion_by is 0: expected null for macro_f1, "
            "by which two versions are not compared",
        ),
        (
            {"metric": "attack_success_rate_at_worst", "maximum": 0.5},
            "gates.0.metric: attack is null: expected an object for attack_success_rate_at_worst, "
            "which a job of kind attack measures",
        ),
        (
            {"metric": "accuracy", "minimum": 0.5, "attack": ATTACK},
            "gates.0.metric: attack is an object: expected null for accuracy, which a job of kind evaluate measures",
        ),
        (
            WORST | {"maximum": 0.5, "attack": ATTACK | {"sede": 1}},
            "gates.0.attack.sede: expected no field of this name, got '1'",
        ),
        (
            WORST | {"maximum": 0.5, "attack": ATTACK | {"recipe": "x"}},
            "gates.0.attack.recipe: expected 'deepwordbug', got 'x'",
        ),
        (
            {"metric": "perplexity", "maximum": 0.5},
            "gates.0.metric: maximum is 0.5: expected a number of at least 1 for perplexity",
        ),
        (
            {"metric": "accuracy", "minimum": 0.5, "mim_rows": 3},
            "gates.0.mim_rows: expected no field of this name, got '3'",
        ),
        ({"gate": "accuracy", "minimum": 0.5}, f"gates.0.gate: expected {GATES}, got 'accuracy'"),
    ],
)
def test_a_gate_that_asks_nonsense_is_refused(gate: dict[str, Any], words: str) -> None:
    assert refused(gate) == words


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_ends_of_the_range_may_be_asked(metric: MetricName, end: str) -> None:
    known = METRICS[metric]
    bound = min(getattr(known, end), sys.float_info.max)
    gate: dict[str, Any] = ROWS | {"metric": metric, "minimum" if known.direction == "maximize" else "maximum": bound}
    gate |= {"slice": "spam"} if known.sliced_by else {}
    gate |= {"attack": ATTACK} if known.kind == "attack" else {}
    gate |= {"not_worse_than_champion_by": 1 if end == "high" else 0} if known.paired else {}
    (asked,) = RolloutPolicy.model_validate({"gates": [gate]}).gates
    assert asked.gate == "metric"
    assert asked.bound == bound


def test_every_name_of_a_metric_is_in_the_table() -> None:
    assert tuple(METRICS) == get_args(MetricName)


@pytest.mark.parametrize("missing", ["dataset", "min_rows"])
def test_a_field_that_is_missing_is_named_beside_the_tag(missing: str) -> None:
    """The gate's tag and its field `metric` have one name."""
    gate = {name: value for name, value in (ROWS | {"metric": "accuracy", "minimum": 0.5}).items() if name != missing}
    with pytest.raises(ValidationError) as error:
        RolloutPolicy.model_validate({"gates": [gate]})
    assert [fault.field for fault in in_words(error.value, {"gates": [gate]})] == [f"gates.0.{missing}"]
