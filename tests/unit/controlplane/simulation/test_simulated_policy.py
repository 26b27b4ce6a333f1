"""The specification's bounds, held by the whole policy in imagined worlds."""

from collections import Counter
from dataclasses import replace

import pytest

from controlplane.simulation.intervals import upper_limit
from controlplane.simulation.scenarios import SCENARIOS
from controlplane.simulation.trial import run
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric

BOTH = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
EQUAL = ("equal", "equal-few-labels", "equal-climbing", "equal-incident", "equal-short-outage", "equal-clocks-apart")


def results(name: str, runs: int) -> Counter[str]:
    return Counter(run(BOTH, SCENARIOS[name], seed).result for seed in range(runs))


@pytest.mark.slow
@pytest.mark.by_turns
@pytest.mark.parametrize("name", EQUAL)
def test_a_healthy_canary_is_rarely_rolled_back(name: str) -> None:
    """The bound is an upper one, and so is the limit that is held against it."""
    runs = 200
    assert upper_limit(results(name, runs)["HARM"], runs) <= 0.04


@pytest.mark.slow
@pytest.mark.parametrize("name", ["error-margin", "wrong-margin"])
def test_a_canary_at_the_margin_is_rarely_promoted(name: str) -> None:
    runs = 110
    assert upper_limit(results(name, runs)["SAFE"], runs) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["errors-1-to-5", "errors-1-to-5-5rps", "flipped-labels", "canary-hangs", "harm-generation-apart"],
)
def test_a_broken_canary_is_caught(name: str) -> None:
    runs = 60
    assert upper_limit(runs - results(name, runs)["HARM"], runs) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ratio-mismatch", "missing-arm", "canary-kills"])
def test_an_analysis_that_cannot_be_trusted_is_invalid(name: str) -> None:
    runs = 60
    found = results(name, runs)
    assert found["SAFE"] == 0
    assert upper_limit(runs - found["INVALID"], runs) <= 0.10


def test_a_canary_that_drives_callers_away_is_caught_by_those_who_compare_it() -> None:
    """Its callers hang up before the deadline, which is nobody's error."""
    assert [run(BOTH, SCENARIOS["canary-drives-away"], seed).result for seed in range(4)] == ["HARM"] * 4
    assert [run(BOTH, SCENARIOS["canary-drives-away-unseen"], seed).result for seed in range(4)] == ["SAFE"] * 4
    assert [run(BOTH, SCENARIOS["equal-hanging-up"], seed).result for seed in range(4)] == ["SAFE"] * 4


@pytest.mark.slow
def test_users_who_always_fail_do_not_roll_a_session_canary_back() -> None:
    """Fifteen minutes show what an hour does: by then every user was counted in the last step."""
    shorter = replace(SCENARIOS["users-by-session"], seconds=900)
    found = Counter(run(BOTH, shorter, seed).result for seed in range(40))
    assert found["HARM"] <= 2
    assert found["SAFE"] >= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["late-wrong-canary", "late-canary", "harm-late-wrong", "harm-late-wrong-canary"])
def test_labels_that_come_late_for_one_outcome_or_one_arm_are_invalid_and_no_silent_verdict(name: str) -> None:
    runs = 60
    found = results(name, runs)
    assert upper_limit(found["HARM"] + found["SAFE"], runs) <= 0.10


def test_flipped_labels_are_caught_within_the_first_minute() -> None:
    outcomes = [run(BOTH, SCENARIOS["flipped-labels"], seed) for seed in range(5)]
    assert all(outcome.result == "HARM" and outcome.second < 60 for outcome in outcomes)


def test_a_run_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    creep = SCENARIOS["errors-creep"]
    assert run(BOTH, creep, seed=4) == run(BOTH, creep, seed=4)
    assert len({run(BOTH, creep, seed) for seed in range(5)}) > 1
