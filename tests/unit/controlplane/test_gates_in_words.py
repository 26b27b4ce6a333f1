"""What people read of gates: by what a version passed, what is missing, and what did not count."""

from typing import Any

import pytest

from controlplane.domain.evidence import Evidence, VersionEvidence
from controlplane.domain.gates import judge, passed, summarize, waive
from schemas.gates import Gate, ParityGate
from tests.support.builders.models import graph_ref
from tests.support.builders.results import NO_ROWS, beside, interval
from tests.unit.controlplane.gate_evidence import (
    CHAMPION,
    EASIER,
    NOTHING_COMPARED,
    OTHER,
    SERVING,
    SPLITS,
    accuracy_gate,
    attack_gate,
    attacked,
    candidate,
    evaluated,
    exported,
    known,
    verdicts,
)

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
