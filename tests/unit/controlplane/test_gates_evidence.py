"""Which results are evidence for a gate, and which of several counts."""

from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.domain.evidence import Attachment
from schemas.gates import MetricGate
from tests.support.builders.models import graph_ref
from tests.support.builders.results import NO_ROWS, interval
from tests.unit.controlplane.gate_evidence import (
    EASIER,
    OTHER,
    ROWS,
    accuracy_gate,
    attack_gate,
    attacked,
    candidate,
    evaluated,
    statuses,
    verdicts,
)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (evaluated(0.99, EASIER, "reviews/7"), "reviews/7 test: other rows than reviews/1 test"),
        (evaluated(0.99, split="validation"), "reviews/1 validation: other rows"),
        (evaluated(0.99, split="train"), "reviews/1 train: other rows"),
        (evaluated(interval(1, low=0.99, high=1, n=999)), "999 rows, at least 1000"),
        (evaluated(NO_ROWS), "0 rows, at least 1000"),
        (evaluated(0.99, graph=graph_ref(OTHER)), "another graph than the one that would be served"),
        (evaluated(0.99, rows_trained_on=1), "the version was trained on 1 of these rows"),
    ],
    ids=["an easier version", "another split", "training rows", "too few rows", "no rows", "another graph", "learnt"],
)
def test_an_evaluation_that_the_gate_does_not_name_is_no_evidence(found: Attachment[Any], why: str) -> None:
    [verdict] = verdicts(accuracy_gate(minimum=0), candidate(found))
    assert verdict.status == "Error"
    assert why in verdict.reason
    assert statuses(accuracy_gate(), candidate(found, evaluated(0.5))) == ["Failed"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (attacked(0.0, queries_per_word=1), "queries_per_word 1, at least 10 is asked"),
        (attacked(0.0, query_budget=5), "query_budget 5, no limit is asked"),
        (attacked(0.0, seed=7), "seed 7, 0 is asked"),
        (attacked(0.0, recipe="nothing"), "recipe nothing, deepwordbug is asked"),
        (attacked(0.0, EASIER), "other rows than reviews/1 test"),
        (attacked(0.0, split="validation"), "other rows"),
        (attacked(NO_ROWS), "0 rows, at least 1000"),
        (attacked(0.0, graph=graph_ref(OTHER)), "another graph"),
        (attacked(0.0, rows_trained_on=7), "the version was trained on 7 of these rows"),
    ],
    ids=["weaker", "capped", "lucky seed", "recipe", "dataset", "split", "nothing left to attack", "graph", "learnt"],
)
def test_an_attack_that_the_gate_does_not_name_is_no_evidence(found: Attachment[Any], why: str) -> None:
    [verdict] = verdicts(attack_gate(maximum=1), candidate(found))
    assert verdict.status == "Error"
    assert why in verdict.reason
    assert statuses(attack_gate(), candidate(attacked(0.9), found)) == ["Failed"]


def test_a_capped_attack_counts_where_the_gate_allows_its_cap() -> None:
    gate = attack_gate({"query_budget": 200})
    assert statuses(gate, candidate(attacked(0.1, query_budget=200))) == ["Passed"]
    assert statuses(gate, candidate(attacked(0.1, query_budget=199))) == ["Error"]
    assert statuses(gate, candidate(attacked(0.1))) == ["Passed"]


def test_a_later_version_of_the_dataset_with_the_same_rows_counts() -> None:
    assert statuses(accuracy_gate(), candidate(evaluated(0.9, ROWS, "reviews/9"))) == ["Passed"]


def test_a_named_version_is_asked_for_its_own_rows() -> None:
    gate = accuracy_gate(dataset="reviews/7")
    assert statuses(gate, candidate(evaluated(0.9, EASIER, "reviews/7"))) == ["Passed"]
    assert statuses(gate, candidate(evaluated(0.9))) == ["Error"]


def test_rows_that_nobody_has_curated_are_named() -> None:
    [verdict] = verdicts(accuracy_gate(dataset="nobody"), candidate(evaluated(0.9)))
    assert verdict.status == "Error"
    assert "there are no rows nobody/1 test" in verdict.reason
    unknown = evaluated(0.9).model_copy(update={"rows": None})
    assert statuses(accuracy_gate(dataset="nobody"), candidate(unknown)) == ["Error"]


@pytest.mark.parametrize("order", [1, -1], ids=["good one last", "good one first"])
def test_the_worst_of_several_results_counts_whenever_it_came(order: int) -> None:
    evaluations = (evaluated(0.5), evaluated(0.9))[::order]
    attacks = (attacked(0.9), attacked(0.1))[::order]
    learnt = candidate(*evaluations, *attacks)
    assert statuses(accuracy_gate(), learnt) == ["Failed"]
    assert statuses(attack_gate(), learnt) == ["Failed"]


def test_the_first_counts_where_the_policy_says_so() -> None:
    assert statuses(accuracy_gate(of="first"), candidate(evaluated(0.9), evaluated(0.5))) == ["Passed"]
    assert statuses(accuracy_gate(of="first"), candidate(evaluated(0.5), evaluated(0.9))) == ["Failed"]
    assert statuses(attack_gate(of="first"), candidate(attacked(0.1), attacked(0.9))) == ["Passed"]
    [verdict] = verdicts(attack_gate(of="first"), candidate(attacked(0.9), attacked(0.1)))
    assert verdict.status == "Failed"
    assert "first of 2 results" in verdict.reason


def test_many_results_that_do_not_count_are_told_in_short() -> None:
    [verdict] = verdicts(attack_gate(), candidate(*(attacked(0.0, seed=seed) for seed in range(1, 8))))
    assert "seed 5, 0 is asked" in verdict.reason
    assert "seed 6" not in verdict.reason
    assert verdict.reason.endswith("and 2 more")


@pytest.mark.parametrize("missing", ["metric", "dataset", "min_rows", "maximum", "attack"])
def test_what_decides_has_no_default(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        MetricGate.model_validate(attack_gate().model_dump(exclude={missing}))


@pytest.mark.parametrize("missing", ["recipe", "queries_per_word"])
def test_how_strong_an_attack_must_be_has_no_default(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        MetricGate.model_validate(attack_gate().model_dump(exclude={"attack": {missing}}))
