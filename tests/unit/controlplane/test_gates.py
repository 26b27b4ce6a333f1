"""Gates: which results are evidence, each status from planted evidence, and what no evidence means."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from controlplane.domain.evidence import Attachment, Evidence, VersionEvidence
from controlplane.domain.gates import judge, passed, summarize, waive
from schemas.evidence import Interval
from schemas.gates import Gate, Int4Bounds, MetricGate, ParityGate
from schemas.rollouts import GateVerdict
from tests.support.builders import results
from tests.support.builders.artifacts import digest
from tests.support.builders.models import GENERATOR, IDENTITY, LABELS, graph_ref, varied
from tests.support.builders.results import DEEPWORDBUG, NO_ROWS, Beside, beside, interval

VERSION, CHAMPION, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
ROWS, EASIER = digest("rows of reviews/1 test"), digest("easier rows")
SPLITS = {"reviews/1 test": ROWS, "reviews/1 validation": digest("validation"), "reviews/7 test": EASIER}


def accuracy_gate(**fields: Any) -> MetricGate:
    asked: dict[str, Any] = {"metric": "accuracy", "dataset": "reviews", "min_rows": 1000, "minimum": 0.8}
    return MetricGate(**asked | fields)


def attack_gate(strength: dict[str, Any] | None = None, **fields: Any) -> MetricGate:
    asked: dict[str, Any] = {
        "metric": "attack_success_rate_at_worst",
        "dataset": "reviews",
        "min_rows": 1000,
        "attack": DEEPWORDBUG | (strength or {}),
        "maximum": 0.5,
    }
    return MetricGate(**asked | fields)


def exported(max_abs_diff: float = 1e-5, version: UUID = VERSION, rows: int = 16) -> Attachment[Any]:
    return Attachment(
        digest=digest(f"export of {version}: {max_abs_diff}"),
        result=results.exported(version, max_abs_diff=max_abs_diff, rows=rows),
    )


def in_int4(max_abs_diff: float, agreement: float) -> Attachment[Any]:
    graph = graph_ref(VERSION, precision="int4")
    found = results.exported(VERSION, graph=graph, max_abs_diff=max_abs_diff, agreement=agreement)
    return Attachment(digest=digest(f"export in int4: {max_abs_diff}, {agreement}"), result=found)


def evaluated(
    score: float | Interval, /, rows: str | None = ROWS, dataset: str = "reviews/1", **said: Any
) -> Attachment[Any]:
    result = results.evaluated(VERSION, score, **said)
    return Attachment(digest=digest(str(uuid4())), dataset=dataset, rows=rows, result=result)


def attacked(success: float | Interval, /, rows: str = ROWS, **said: Any) -> Attachment[Any]:
    result = results.attacked(VERSION, success, **said)
    return Attachment(digest=digest(str(uuid4())), dataset="reviews/1", rows=rows, result=result)


def known(*attachments: Attachment[Any], version: UUID = VERSION, labels: tuple[str, ...] = LABELS) -> VersionEvidence:
    identity = varied(IDENTITY, task={"labels": labels}) if labels else GENERATOR
    return VersionEvidence(version=version, recorded=results.recorded(identity=identity), attachments=attachments)


def candidate(
    *results: Attachment[Any], labels: tuple[str, ...] = LABELS, export: Attachment[Any] | None = None
) -> VersionEvidence:
    return known(export or exported(), *results, labels=labels)


SERVING = known(exported(version=CHAMPION), version=CHAMPION)


def verdicts(gate: Gate, learnt: VersionEvidence, champion: VersionEvidence | None = None) -> tuple[GateVerdict, ...]:
    """The verdicts on the gate alone, without those that are always asked."""
    return judge([gate], Evidence(candidate=learnt, champion=champion, splits=SPLITS))[2:]


def statuses(gate: Gate, learnt: VersionEvidence, champion: VersionEvidence | None = None) -> list[str]:
    return [verdict.status for verdict in verdicts(gate, learnt, champion)]


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


# --- what is evidence -------------------------------------------------------------------------------------------------


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


NOTHING_COMPARED = beside(CHAMPION, 0, 0, both=0, neither=0)


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


# --- what people read -------------------------------------------------------------------------------------------------

OF_TWO = "(worst of 2 results)"
ATTACKED_WITH = "with recipe deepwordbug, queries_per_word 10, seed 0"
FIRST_RELEASE = "a first release: nothing serves yet to compare with"
PARITY = (
    "logits of the served graph, in fp32, differ by {:.2g} at most, 0.001 allowed; "
    "100.0% of its answers agree, at least 0.0% asked"
)
ALL_GATES: list[Gate] = [
    accuracy_gate(not_worse_than_champion_by=0.02),
    attack_gate(not_worse_than_champion_by=0.05),
    ParityGate(),
]


def told(
    learnt: VersionEvidence, champion: VersionEvidence | None, splits: dict[str, str] = SPLITS
) -> list[tuple[str, str, str]]:
    found = judge(ALL_GATES, Evidence(candidate=learnt, champion=champion, splits=splits))
    return [(verdict.gate, verdict.status, verdict.reason) for verdict in found]


def test_a_version_that_passes_is_told_by_what() -> None:
    learnt = candidate(
        evaluated(0.9, beside=beside(CHAMPION, 0.1)), attacked(0.1, out_of_budget=7, beside=beside(CHAMPION, -0.1))
    )
    assert told(learnt, SERVING) == [
        ("graph", "Passed", "a served graph exists"),
        ("labels", "Passed", "it knows every class that the champion knows"),
        (
            "accuracy",
            "Passed",
            "90.0% (88.0% to 92.0%, 1000 rows) on reviews/1 test, at least 80.0% asked of its lower end",
        ),
        (
            "accuracy against champion",
            "Passed",
            "+10.0% (+9.0% to +11.0%, 1000 rows) on reviews/1 test, "
            "at most 2.0% below the champion asked of its lower end",
        ),
        (
            "attack_success_rate_at_worst",
            "Passed",
            "10.0% (0.0% to 20.0%, 1000 rows) on reviews/1 test " + ATTACKED_WITH + ", "
            "7 unknown counted against the version, at most 50.0% asked of its upper end",
        ),
        (
            "attack_success_rate_at_worst against champion",
            "Passed",
            "-10.0% (-11.0% to -9.0%, 1000 rows) on reviews/1 test " + ATTACKED_WITH + ", "
            "at most 5.0% above the champion asked of its upper end",
        ),
        ("parity", "Passed", PARITY.format(1e-5)),
    ]
    found = judge(ALL_GATES, Evidence(candidate=learnt, champion=SERVING, splits=SPLITS))
    assert passed(found)
    assert summarize(found) == "every gate passes"
    assert waive(found, "a drill") == found
    assert [len(verdict.evidence) for verdict in found] == [1, 0, 1, 1, 1, 1, 1]
    assert learnt.served is not None
    assert found[0].evidence == found[-1].evidence == (learnt.served.digest,)


def test_of_several_results_it_is_told_which_one_counts_and_of_how_many() -> None:
    learnt = candidate(
        evaluated(0.9, beside=beside(CHAMPION, 0.1)),
        evaluated(0.8, beside=beside(CHAMPION, 0.2)),
        attacked(0.1, beside=beside(CHAMPION, 0.1)),
        attacked(0.2, beside=beside(CHAMPION, 0.2)),
    )
    assert told(learnt, SERVING)[2:6] == [
        (
            "accuracy",
            "Inconclusive",
            "80.0% (78.0% to 82.0%, 1000 rows) on reviews/1 test, at least 80.0% asked of its lower end " + OF_TWO,
        ),
        (
            "accuracy against champion",
            "Passed",
            "+10.0% (+9.0% to +11.0%, 1000 rows) on reviews/1 test, "
            "at most 2.0% below the champion asked of its lower end " + OF_TWO,
        ),
        (
            "attack_success_rate_at_worst",
            "Passed",
            "20.0% (10.0% to 30.0%, 1000 rows) on reviews/1 test " + ATTACKED_WITH + ", "
            "at most 50.0% asked of its upper end " + OF_TWO,
        ),
        (
            "attack_success_rate_at_worst against champion",
            "Failed",
            "+20.0% (+19.0% to +21.0%, 1000 rows) on reviews/1 test " + ATTACKED_WITH + ", "
            "at most 5.0% above the champion asked of its upper end " + OF_TWO,
        ),
    ]


def test_what_is_missing_is_told_gate_by_gate() -> None:
    assert told(candidate(), SERVING)[2:6] == [
        ("accuracy", "Error", "missing evidence: no evaluate result that the gate names"),
        (
            "accuracy against champion",
            "Error",
            "missing evidence: no evaluate result beside the champion on the rows that the gate names",
        ),
        ("attack_success_rate_at_worst", "Error", "missing evidence: no attack result that the gate names"),
        (
            "attack_success_rate_at_worst against champion",
            "Error",
            "missing evidence: no attack result beside the champion on the rows that the gate names",
        ),
    ]
    assert told(known(labels=()), None, {}) == [
        ("graph", "Error", "missing evidence: the version was never exported"),
        ("labels", "NotApplicable", FIRST_RELEASE),
        ("accuracy", "Error", "missing evidence: there are no rows reviews/1 test"),
        ("accuracy against champion", "NotApplicable", FIRST_RELEASE),
        ("attack_success_rate_at_worst", "Error", "missing evidence: there are no rows reviews/1 test"),
        ("attack_success_rate_at_worst against champion", "NotApplicable", FIRST_RELEASE),
        ("parity", "Error", "missing evidence: no export of this version"),
    ]


def test_what_does_not_pass_is_summed_up_and_waived_in_the_same_words() -> None:
    learnt = candidate(labels=(), export=exported(0, rows=3))
    found = judge([ParityGate()], Evidence(candidate=learnt, champion=SERVING, splits={}))
    lacking = "the champion knows negative, positive, which the version lacks; `may_drop` of the policy allows that"
    parity = "missing evidence: it was measured on 3 rows, at least 16 are asked"
    assert summarize(found) == f"labels Failed: {lacking}; parity Error: {parity}"
    assert [verdict.reason for verdict in waive(found, "a drill")] == [
        "a served graph exists",
        f"waived (a drill); it was Failed: {lacking}",
        f"waived (a drill); it was Error: {parity}",
    ]
    dropped = Evidence(candidate=candidate(labels=("mixed",), export=exported(2e-2)), champion=SERVING, splits={})
    assert [verdict.reason for verdict in judge([ParityGate()], dropped, ("positive", "negative"))] == [
        "a served graph exists",
        "it knows every class that the champion knows, but negative, positive, which the policy lets it drop",
        PARITY.format(0.02),
    ]


def test_each_result_that_does_not_count_is_told_with_its_reason() -> None:
    few = interval(1, low=0.99, high=1, n=999)
    evaluations = (
        evaluated(0.9, EASIER, "reviews/7"),
        evaluated(0.9, graph=graph_ref(OTHER)),
        evaluated(few),
    )
    [verdict] = verdicts(accuracy_gate(), candidate(*evaluations))
    assert verdict.reason == (
        "missing evidence: no evaluate result that the gate names; what does not count: "
        "reviews/7 test: other rows than reviews/1 test; "
        "reviews/1 test: it ran on another graph than the one that would be served; "
        "reviews/1 test: 999 rows, at least 1000 are asked"
    )
    weak: list[dict[str, Any]] = [{"queries_per_word": 1}, {"query_budget": 5}, {"seed": 7}, {"recipe": "nothing"}]
    [verdict] = verdicts(attack_gate(), candidate(*(attacked(0.0, **said) for said in weak), attacked(NO_ROWS)))
    assert verdict.reason == (
        "missing evidence: no attack result that the gate names; what does not count: "
        "reviews/1 test: queries_per_word 1, at least 10 is asked; "
        "reviews/1 test: query_budget 5, no limit is asked; "
        "reviews/1 test: seed 7, 0 is asked; "
        "reviews/1 test: recipe nothing, deepwordbug is asked; "
        "reviews/1 test: 0 rows, at least 1000 are asked"
    )
    [verdict] = verdicts(attack_gate({"query_budget": 9}), candidate(attacked(0.0, query_budget=5)))
    assert verdict.reason.endswith("what does not count: reviews/1 test: query_budget 5, at least 9 is asked")


def test_each_result_that_compares_nothing_is_told_with_its_reason() -> None:
    others = (None, beside(OTHER, 0.5), beside(CHAMPION, 0.5, graph=graph_ref(OTHER)), NOTHING_COMPARED)
    learnt = candidate(*(evaluated(0.9, beside=one) for one in others))
    _, verdict = verdicts(accuracy_gate(not_worse_than_champion_by=1), learnt, SERVING)
    assert verdict.reason == (
        "missing evidence: no evaluate result beside the champion on the rows that the gate names; "
        "what does not count: reviews/1 test: it was not made `against` another version; "
        f"reviews/1 test: it was made against {OTHER}, which does not serve; "
        "reviews/1 test: it ran on another graph of the champion than the one that serves; "
        "reviews/1 test: no row could be compared"
    )


@pytest.mark.parametrize("several", [5, 6])
def test_so_many_results_that_do_not_count_are_all_told(several: int) -> None:
    [verdict] = verdicts(attack_gate(), candidate(*(attacked(0.0, seed=seed) for seed in range(1, several + 1))))
    assert ("more" in verdict.reason) is (several > 5)
    assert verdict.reason.endswith("; and 1 more" if several > 5 else "seed 5, 0 is asked")
