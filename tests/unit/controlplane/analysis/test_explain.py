"""Decisions made again from what was stored, and said in words."""

import json
from math import log

import pytest

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.explain import decision_inputs, explain, recompute, stored_policy
from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.unit_counts import Arrived
from controlplane.domain.analysis.verdict import Assessment, Ladder, MetricEvidence, ShareEvidence, assess
from schemas.rollouts import AbandonedMetric, CanaryPolicy
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, cell, folded, labels_of, observed, started

HANG_UPS = CanaryPolicy(metrics=(AbandonedMetric(name="abandoned", margin=0.02),))


def bad_canary(seconds: int = 30) -> AnalysisState:
    seen = [
        observed(second, cell(1, 0.05, (18, 1), (0, 0), [("a", "stable", "ok"), (f"{second % 8}", "canary", "error")]))
        for second in range(seconds)
    ]
    labels = [label for second in range(seconds) for label in labels_of(1, second, (9, 2), (1, 1))]
    return folded(BOTH, started(BOTH), seconds - 1, seen, labels)


@pytest.mark.parametrize("seconds", [5, 10, 30])
def test_a_stored_decision_can_be_made_again(seconds: int):
    state = bad_canary(seconds)
    inputs = json.loads(json.dumps(decision_inputs(BOTH, state, 31.5, 30.0)))
    assert recompute(inputs) == assess(BOTH, state, 31.5, 30.0)


def test_a_decision_about_labels_can_be_made_again_from_their_counts():
    seen = [observed(second, cell(1, 0.05, (19, 0), (1, 0))) for second in range(60)]
    labels = [label for second in range(60) for label in labels_of(1, second, (19, 2), (0, 0))]
    state = folded(BOTH, started(BOTH), 59, seen, labels)
    forged = json.loads(json.dumps(decision_inputs(BOTH, state, 60.0, 60.0)))
    forged["analysis"]["labelled"] |= {"peak": 0.0, "more": [0.0] * 6, "fewer": [0.0] * 6, "forecast": [0.0, 1e9]}
    assert recompute(forged) == assess(BOTH, state, 60.0, 60.0)
    assert recompute(forged).rule == "labelled_share"


def test_a_decision_is_recomputed_from_its_blocks_and_not_from_its_e_values():
    honest = decision_inputs(BOTH, bad_canary(), 31.0, 30.0)
    forged = json.loads(json.dumps(honest))
    for metric in forged["analysis"]["metrics"]:
        metric |= {"harm": [0.0] * 6, "harm_peak": 0.0, "safe": 99.0, "forecast": [0.0, 1e9]}
        for block in metric["closed"]:
            block[-1] = 99.0
    forged["analysis"] |= {"sample_ratio_peak": 99.0}
    forged["analysis"]["labelled"] |= {"peak": 99.0, "more": [99.0] * 6}
    assert recompute(forged) == recompute(honest)
    assert recompute(honest).verdict == "HARM"


def test_the_peak_of_the_sample_ratio_is_made_again_from_the_counts_that_had_it():
    split = [observed(second, cell(1, 0.05, (45, 0), (5, 0))) for second in range(60)]
    made_up = [observed(60 + second, cell(1, 0.05, (100, 0))) for second in range(30)]
    state = folded(ERRORS, started(ERRORS), 89, [*split, *made_up])
    forged = json.loads(json.dumps(decision_inputs(ERRORS, state, 90.0, 90.0)))
    forged["analysis"]["sample_ratio_peak"] = 0.0
    assert recompute(forged) == assess(ERRORS, state, 90.0, 90.0)
    assert recompute(forged).rule == "sample_ratio"


def test_what_is_stored_is_plain_json_and_nothing_else():
    inputs = decision_inputs(BOTH, bad_canary(), 31.0, 30.0)
    assert json.loads(json.dumps(inputs)) == inputs
    assert (inputs["now"], inputs["last_heard"]) == (31.0, 30.0)
    assert (inputs["policy"], stored_policy(inputs)) == (json.loads(BOTH.model_dump_json()), BOTH)


def test_a_decision_long_after_the_start_is_made_again_with_what_was_heard_last():
    state = started(ERRORS)
    for last_heard, rule in ((990.0, "none"), (900.0, "provider_silence"), (None, "provider_silence")):
        inputs = json.loads(json.dumps(decision_inputs(ERRORS, state, 1000.0, last_heard)))
        assert recompute(inputs) == assess(ERRORS, state, 1000.0, last_heard)
        assert recompute(inputs).rule == rule


def test_a_wrong_split_is_found_again_in_the_present_counts_too():
    """Whatever counts are said to have had the peak: those that fit the weight are evidence of nothing."""
    split = [observed(second, cell(1, 0.05, (45, 0), (5, 0))) for second in range(60)]
    state = folded(ERRORS, started(ERRORS), 59, split)
    inputs = json.loads(json.dumps(decision_inputs(ERRORS, state, 60.0, 60.0)))
    for at_peak in ([], [[1, 0, 0.05, 1900, 100]]):
        inputs["analysis"] |= {"sample_ratio_peak": 0.0, "sample_ratio_at_peak": at_peak}
        assert recompute(inputs).rule == "sample_ratio"
        assert recompute(inputs).sample_ratio == pytest.approx(state.sample_ratio_log_e())


def test_counts_that_fit_the_weight_are_no_evidence_against_the_split():
    fits = [observed(second, cell(1, 0.05, (19, 0), (1, 0))) for second in range(60)]
    state = folded(ERRORS, started(ERRORS), 59, fits)
    inputs = json.loads(json.dumps(decision_inputs(ERRORS, state, 60.0, 60.0)))
    inputs["analysis"]["sample_ratio_at_peak"] = [[1, 0, 0.05, 1900, 100]]
    assert recompute(inputs).sample_ratio == 0.0


def test_the_keys_of_sessions_are_not_stored_with_a_decision():
    inputs = json.dumps(decision_inputs(BOTH, bad_canary(), 31.0, 30.0))
    assert "a" * 32 not in inputs
    assert bad_canary().steps[0].keys


def test_a_harmful_canary_is_explained_with_its_evidence_units_and_rates():
    words = explain(BOTH, assess(BOTH, bad_canary(), 31.0, 30.0))
    assert words[0].startswith("verdict: HARM, because the canary's `error` rate is above the stable one's: evidence ")
    assert words[1] == "rule: HARM: evidence that the canary is worse; asked before every other rule"
    assert "error: stable 10 of 181 units (5.52%), canary 8 of 8 units (100.00%), in 1 block" in words
    assert any(line.startswith("error: evidence of harm ") and "/ needed 50" in line for line in words)
    assert any(line.startswith("wrong: evidence that it is less than 0.05 worse") for line in words)


def test_what_callers_abandoned_is_shown_whether_or_not_it_is_compared():
    seen = [observed(second, cell(1, 0.05, (19, 2, 1), (1, 0, 1))) for second in range(12)]
    for policy, abandoned, also in (
        (ERRORS, "abandoned: stable 12 of 228 units (5.26%), canary 12 of 12 units (100.00%); "
         "the policy does not compare them", "error: stable 20 of 190 units (10.53%), canary 0 of 10 units (0.00%)"),
        (HANG_UPS, "abandoned: stable 10 of 190 units (5.26%), canary 10 of 10 units (100.00%), in 1 block",
         "error: stable 24 of 228 units (10.53%), canary 0 of 12 units (0.00%); the policy does not compare them"),
    ):  # fmt: skip
        words = explain(policy, assess(policy, folded(policy, started(policy), 11, seen), 12.0, 12.0))
        assert abandoned in words
        assert any(line.startswith(also) for line in words)


def test_a_waiting_ladder_says_what_it_waits_for():
    seen = [observed(second, cell(1, 0.05, (9, 0), (1, 0))) for second in range(12)]
    words = explain(ERRORS, assess(ERRORS, folded(ERRORS, started(ERRORS), 11, seen), 12.0, 12.0))
    assert words[0].startswith("verdict: none yet, because the evidence decides nothing yet; step 1 of 4 waits: ")
    assert words[2].startswith("ladder: step 1 of 4, canary weight 5%; ")
    assert "12 of 60 s are observed; `error` has 12 of 30 units on its smaller arm" in words[2]


@pytest.mark.parametrize("choice", ["hold", "rollback", "promote"])
def test_what_happens_when_the_time_is_up_is_said_as_the_policy_has_it(choice: str):
    policy = ERRORS.model_copy(update={"on_inconclusive": choice, "max_seconds": 10.0})
    inputs = decision_inputs(policy, started(policy), 11.0, 11.0)
    words = explain(stored_policy(inputs), recompute(inputs))
    assert words[1].startswith("rule: INCONCLUSIVE: the maximum duration passed; ")
    assert f"`on_inconclusive: {choice}`" in words[1]


def test_units_that_were_not_counted_are_told():
    state = folded(ERRORS, started(ERRORS), 0, [observed(0, cell(1, 0.0, stable=(7, 0)))])
    assert (
        "7 stable and 0 canary units were served at another weight"
        in explain(ERRORS, assess(ERRORS, state, 1.0, 1.0))[-1]
    )


ERROR = MetricEvidence(
    name="error",
    margin=0.01,
    harm=log(3),
    harm_peak=log(30),
    harm_needed=log(50),
    safe=log(0.5),
    safe_needed=log(20),
    counts=Counts(200, 10, 40, 8),
    blocks=2,
    in_step=Counts(150, 9, 30, 6),
    phi=1.25,
    phi_peak=2.5,
)
LABELLED = ShareEvidence(
    peak=log(40), needed=log(1000), now=log(4), counts=Counts(190, 95, 32, 8), late=Counts(5, 2, 3, 1)
)
EVENTFUL = Assessment(
    verdict=None,
    rule="none",
    reason="planted",
    ladder=Ladder(step=1, weight=0.1, last=False, may_leave=False, reason="it waits"),
    metrics=(ERROR,),
    sample_ratio=log(2),
    sample_ratio_needed=log(1000),
    labelled=LABELLED,
    arrived=Arrived(250, 12, 5, 48, 9, 6),
    unfolded=Arrived(7, 0, 0, 2, 1, 0),
    seconds=61.6,
)


def test_an_assessment_is_told_line_by_line():
    assert explain(BOTH, EVENTFUL) == [
        "verdict: none yet, because planted",
        "rule: no rule has spoken yet",
        "ladder: step 2 of 4, canary weight 10%; it waits",
        "time: 62 s since the canary first got weight",
        "error: stable 10 of 200 units (5.00%), canary 8 of 40 units (20.00%), in 2 blocks",
        "error: evidence of harm 30 / needed 50, now 3",
        "error: evidence that it is less than 0.01 worse 0.5 / needed 20",
        "error: dispersion 1.25 (at most 2.50); evidence is divided by it above 1",
        "error: in this step 150 stable and 30 canary units",
        "abandoned: stable 5 of 250 units (2.00%), canary 6 of 48 units (12.50%); the policy does not compare them",
        "sample ratio: evidence of a wrong split 2 / needed 1,000",
        "labelled: stable 95 of 190 units (50.00%), canary 8 of 32 units (25.00%), "
        "of the answers whose labels were waited for",
        "labelled: evidence of unequal shares 40 / needed 1,000, now 4",
        "not counted: labels that came too late, 5 of the stable version (2 wrong) and 3 of the canary (1 wrong)",
        "not counted: 7 stable and 2 canary units were served at another weight than their generation's",
    ]


def test_what_is_not_there_is_not_told():
    """Evidence at its peak, one block, no label that came too late, every unit counted."""
    at_peak = ERROR.model_copy(update={"harm": log(30), "blocks": 1})
    in_time = LABELLED.model_copy(update={"now": log(40), "late": Counts()})
    quiet = EVENTFUL.model_copy(update={"metrics": (at_peak,), "labelled": in_time, "unfolded": Arrived()})
    told = explain(BOTH, quiet)
    assert told[4].endswith("(20.00%), in 1 block")
    assert told[5] == "error: evidence of harm 30 / needed 50"
    assert told[-1] == "labelled: evidence of unequal shares 40 / needed 1,000"


def test_nothing_seen_can_be_explained_too():
    assert explain(ERRORS, assess(ERRORS, started(ERRORS), 1.0, None))[3:] == [
        "time: 1 s since the canary first got weight",
        "error: stable no units, canary no units, in 0 blocks",
        "error: evidence of harm 1 / needed 25",
        "error: evidence that it is less than 0.01 worse 1 / needed 20",
        "error: in this step 0 stable and 0 canary units",
        "abandoned: stable no units, canary no units; the policy does not compare them",
        "sample ratio: evidence of a wrong split 1 / needed 1,000",
    ]
