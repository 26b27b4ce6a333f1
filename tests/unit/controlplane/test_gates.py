"""Gates: each status from planted evidence, and what no evidence means."""

import pytest
from pydantic import ValidationError

from controlplane.domain.evidence import Evidence
from controlplane.domain.gates import judge, passed, summarize, waive
from schemas.gates import Gate, Int4Bounds, ParityGate
from tests.support.builders import results
from tests.support.builders.models import graph_ref
from tests.support.builders.results import Beside, beside, interval
from tests.unit.controlplane.gate_evidence import (
    CHAMPION,
    NOTHING_COMPARED,
    OTHER,
    SERVING,
    SPLITS,
    VERSION,
    accuracy_gate,
    attack_gate,
    attacked,
    candidate,
    evaluated,
    exported,
    in_int4,
    known,
    statuses,
    verdicts,
)


def test_no_evidence_never_passes() -> None:
    gates: list[Gate] = [accuracy_gate(minimum=0), attack_gate(maximum=1), ParityGate()]
    nothing = Evidence(candidate=known(), champion=None, splits=SPLITS)
    found = judge(gates, nothing)
    assert [verdict.status for verdict in found] == ["Error", "NotApplicable", "Error", "Error", "Error"]
    assert not passed(found)
    assert summarize(found).count("missing evidence") == 4


@pytest.mark.parametrize(
    ("accuracy", "status"),
    [(0.83, "Passed"), (0.82, "Passed"), (0.80, "Inconclusive"), (0.78, "Inconclusive"), (0.77, "Failed")],
    ids=["lower end above", "lower end at it", "interval across", "upper end at it", "upper end below"],
)
def test_accuracy_is_judged_by_its_interval(accuracy: float, status: str) -> None:
    bounds = interval(accuracy, low=round(accuracy - 0.02, 9), high=round(accuracy + 0.02, 9), n=1000)
    assert statuses(accuracy_gate(), candidate(evaluated(bounds))) == [status]


@pytest.mark.parametrize(
    ("success", "status"),
    [(0.3, "Passed"), (0.4, "Passed"), (0.5, "Inconclusive"), (0.6, "Inconclusive"), (0.7, "Failed")],
    ids=["upper end below", "upper end at it", "interval across", "lower end at it", "lower end above"],
)
def test_attack_success_is_judged_by_its_interval(success: float, status: str) -> None:
    assert statuses(attack_gate(), candidate(attacked(success))) == [status]


def test_rows_out_of_budget_count_as_broken() -> None:
    """10.7 % were reported where nine in ten break."""
    worst = interval(0.9, low=0.85, high=0.95, n=1000)
    found = attacked(worst, succeeded=100, out_of_budget=800, failed=100, success_rate=interval(0.1))
    [verdict] = verdicts(attack_gate(), candidate(found))
    assert verdict.status == "Failed"
    assert "800 unknown counted against the version" in verdict.reason


@pytest.mark.parametrize(
    ("difference", "rows", "status"),
    [(1e-4, 16, "Passed"), (1e-3, 16, "Passed"), (1e-2, 16, "Failed"), (0, 2, "Error")],
)
def test_parity(difference: float, rows: int, status: str) -> None:
    assert statuses(ParityGate(), candidate(export=exported(difference, rows=rows))) == [status]


@pytest.mark.parametrize(
    ("difference", "agreement", "status"),
    [
        (10.0, 0.9, "Passed"),
        (10.1, 0.9, "Failed"),
        (10.0, 0.89, "Failed"),
        (1e-5, 0.0, "Failed"),
    ],
    ids=["at the bounds", "too far", "too few agree", "near and yet none agree"],
)
def test_a_graph_in_int4_has_bounds_of_its_own(difference: float, agreement: float, status: str) -> None:
    gate = ParityGate(int4=Int4Bounds(max_abs_diff=10, min_agreement=0.9))
    assert statuses(gate, candidate(export=in_int4(difference, agreement))) == [status]
    assert statuses(gate, candidate(export=exported(1e-2))) == ["Failed"]  # those of fp32 stay


def test_no_graph_in_int4_passes_where_the_gate_has_no_bounds_for_it() -> None:
    [verdict] = verdicts(ParityGate(max_abs_diff=1000), candidate(export=in_int4(1e-5, 1.0)))
    assert verdict.status == "Failed"
    assert verdict.reason == "the served graph is in int4, for which the gate has no bounds: its `int4` is null"


@pytest.mark.parametrize(("agreement", "status"), [(0.95, "Passed"), (0.94, "Failed")])
def test_agreement_may_be_asked_of_fp32_too(agreement: float, status: str) -> None:
    export = exported().model_copy(update={"result": results.exported(VERSION, agreement=agreement)})
    assert statuses(ParityGate(min_agreement=0.95), candidate(export=export)) == [status]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"min_agreement": 0.9}, "int4.max_abs_diff"),
        ({"max_abs_diff": 10}, "int4.min_agreement"),
        ({"max_abs_diff": 10, "min_agreement": 1.1}, "int4.min_agreement"),
    ],
)
def test_bounds_of_int4_are_both_said(said: dict[str, float], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ParityGate.model_validate({"int4": said})
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [field]


def test_parity_is_asked_of_the_export_that_would_be_served() -> None:
    learnt = candidate().model_copy(update={"attachments": (exported(1e-5), exported(1e-2))})
    assert statuses(ParityGate(), learnt) == ["Failed"]


# --- beside the champion ----------------------------------------------------------------------------------------------


def test_a_first_release_is_not_compared() -> None:
    learnt = candidate(evaluated(0.9), attacked(0.1))
    assert statuses(accuracy_gate(not_worse_than_champion_by=0.01), learnt) == ["Passed", "NotApplicable"]
    assert statuses(attack_gate(not_worse_than_champion_by=0.01), learnt) == ["Passed", "NotApplicable"]


@pytest.mark.parametrize(
    ("difference", "status"), [(0.01, "Passed"), (-0.01, "Passed"), (-0.02, "Inconclusive"), (-0.04, "Failed")]
)
def test_accuracy_is_compared_by_the_interval_of_the_paired_difference(difference: float, status: str) -> None:
    gate = accuracy_gate(not_worse_than_champion_by=0.02)
    learnt = candidate(evaluated(0.9, beside=beside(CHAMPION, difference)))
    assert statuses(gate, learnt, SERVING) == ["Passed", status]


@pytest.mark.parametrize(
    ("difference", "status"), [(-0.01, "Passed"), (0.04, "Passed"), (0.05, "Inconclusive"), (0.07, "Failed")]
)
def test_attacks_are_compared_by_the_interval_of_the_paired_difference(difference: float, status: str) -> None:
    gate = attack_gate(not_worse_than_champion_by=0.05)
    learnt = candidate(attacked(0.1, beside=beside(CHAMPION, difference)))
    assert statuses(gate, learnt, SERVING) == ["Passed", status]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (None, "not made `against` another version"),
        (beside(OTHER, 0.5), "which does not serve"),
        (beside(CHAMPION, 0.5, graph=graph_ref(OTHER)), "another graph of the champion"),
        (NOTHING_COMPARED, "no row could be compared"),
    ],
    ids=["alone", "another version", "another graph", "no rows"],
)
def test_a_result_that_was_not_made_beside_what_serves_compares_nothing(other: Beside | None, why: str) -> None:
    learnt = candidate(evaluated(0.9, beside=other), attacked(0.1, beside=other))
    gates: tuple[Gate, ...] = (accuracy_gate(not_worse_than_champion_by=1), attack_gate(not_worse_than_champion_by=1))
    for gate in gates:
        _, verdict = verdicts(gate, learnt, SERVING)
        assert verdict.status == "Error"
        assert why in verdict.reason


def test_the_worst_of_several_comparisons_counts() -> None:
    gate = accuracy_gate(not_worse_than_champion_by=0.02)
    results = [evaluated(0.9, beside=beside(CHAMPION, difference)) for difference in (-0.3, 0.1)]
    assert statuses(gate, candidate(*results), SERVING) == ["Passed", "Failed"]
    assert statuses(gate, candidate(*results[::-1]), SERVING) == ["Passed", "Failed"]
    first = accuracy_gate(not_worse_than_champion_by=0.02, of="first")
    assert statuses(first, candidate(*results[::-1]), SERVING) == ["Passed", "Passed"]
    against = attack_gate(not_worse_than_champion_by=0.05)
    broken = [attacked(0.1, beside=beside(CHAMPION, difference)) for difference in (0.3, -0.1)]
    assert statuses(against, candidate(*broken), SERVING) == ["Passed", "Failed"]
    assert statuses(against, candidate(*broken[::-1]), SERVING) == ["Passed", "Failed"]


# --- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "may_drop", "status"),
    [
        (("negative", "positive"), (), "Passed"),
        (("positive", "mixed", "negative"), (), "Passed"),
        (("positive",), (), "Failed"),
        (("positive",), ("negative",), "Passed"),
        (("positive",), ("positive",), "Failed"),
    ],
    ids=["the same", "one more", "one less", "one less, allowed", "another one allowed"],
)
def test_a_class_that_the_champion_knows_is_not_lost_silently(
    labels: tuple[str, ...], may_drop: tuple[str, ...], status: str
) -> None:
    evidence = Evidence(candidate=candidate(labels=labels), champion=SERVING, splits={})
    _, verdict = judge([], evidence, may_drop)
    assert (verdict.gate, verdict.status) == ("labels", status)
    assert ("negative" in verdict.reason) == ("negative" not in labels)


def test_a_first_release_may_know_what_it_likes() -> None:
    _, verdict = judge([], Evidence(candidate=candidate(labels=("a",)), champion=None, splits={}))
    assert verdict.status == "NotApplicable"


def test_a_champion_whose_answers_are_no_classes_has_none_to_lose() -> None:
    champion = known(exported(version=CHAMPION), version=CHAMPION, labels=())
    _, verdict = judge([], Evidence(candidate=candidate(labels=()), champion=champion, splits={}))
    assert (verdict.status, verdict.reason) == ("NotApplicable", "an answer of this task is no class")


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_the_verdict_names_its_evidence() -> None:
    good, bad = evaluated(0.9, beside=beside(CHAMPION, 0.1)), evaluated(0.85, beside=beside(CHAMPION, 0.2))
    absolute, compared = verdicts(accuracy_gate(not_worse_than_champion_by=0.02), candidate(good, bad), SERVING)
    assert absolute.evidence == (bad.digest,)
    assert compared.evidence == (good.digest,)
    broken = attacked(0.3)
    assert verdicts(attack_gate(), candidate(attacked(0.1), broken))[0].evidence == (broken.digest,)


def test_waiving_keeps_what_was_measured_and_cannot_make_a_graph() -> None:
    nothing = known(evaluated(0.5, graph=None), labels=())
    found = judge([accuracy_gate()], Evidence(candidate=nothing, champion=SERVING, splits=SPLITS))
    graph, labels, accuracy = waive(found, "a drill")
    assert (graph.status, labels.status, accuracy.status) == ("Error", "Waived", "Waived")
    assert "a drill" in accuracy.reason
    assert "50.0%" in accuracy.reason


def test_evidence_is_the_same_after_json() -> None:
    evidence = Evidence(candidate=candidate(attacked(0.3), evaluated(0.8)), champion=SERVING, splits=SPLITS)
    assert Evidence.model_validate(evidence.model_dump(mode="json")) == evidence
