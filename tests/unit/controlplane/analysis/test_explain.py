"""Decisions made again from what was stored, and said in words."""

import json

import pytest

from controlplane.domain.analysis.explain import decision_inputs, explain, recompute, stored_policy
from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.verdict import assess
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, cell, folded, labels_of, observed, started


def bad_canary(seconds: int = 30) -> AnalysisState:
    seen = [
        observed(second, cell(1, 0.05, (18, 1), (0, 0), [("a", "stable", False), (f"{second % 8}", "canary", True)]))
        for second in range(seconds)
    ]
    labels = [label for second in range(seconds) for label in labels_of(1, second, (9, 2), (1, 1))]
    return folded(BOTH, started(BOTH), seconds - 1, seen, labels)


@pytest.mark.parametrize("seconds", [5, 10, 30])
def test_a_stored_decision_can_be_made_again(seconds: int):
    state = bad_canary(seconds)
    inputs = json.loads(json.dumps(decision_inputs(BOTH, state, 31.5, 30.0)))
    assert recompute(inputs) == assess(BOTH, state, 31.5, 30.0)


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


def test_nothing_seen_can_be_explained_too():
    assert "error: stable no units, canary no units, in 0 blocks" in explain(
        ERRORS, assess(ERRORS, started(ERRORS), 1.0, None)
    )
