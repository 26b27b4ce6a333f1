"""The specification's bounds, held by the whole policy on simulated traffic (canary.md, section 8)."""

from collections import Counter
from dataclasses import replace
from math import comb

import pytest

from controlplane.domain.analysis.simulate import BOTH, SPECIFIED, run

SCENARIOS = {scenario.name: (policy, scenario) for policy, scenario in SPECIFIED}
EQUAL = (
    "equal",
    "equal, labels on 20 %",
    "equal, base rates climb",
    "equal, shared incident",
    "equal, 5 requests/s",
)


def results(name: str, runs: int) -> Counter[str]:
    policy, scenario = SCENARIOS[name]
    return Counter(run(policy, scenario, seed).result for seed in range(runs))


def upper_limit(events: int, runs: int) -> float:
    """One-sided 95 % Clopper-Pearson: the rate at which so few events have a chance of 5 %."""
    low, high = events / runs, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        chance = sum(comb(runs, seen) * rate**seen * (1 - rate) ** (runs - seen) for seen in range(events + 1))
        low, high = (rate, high) if chance > 0.05 else (low, rate)
    return high


def test_the_limit_is_clopper_and_pearson_s():
    assert upper_limit(0, 100) == pytest.approx(0.0295, abs=1e-4)
    assert upper_limit(2, 150) == pytest.approx(0.0414, abs=1e-4)


@pytest.mark.slow
def test_a_healthy_canary_is_rarely_rolled_back():
    """A row alone needs 1,000 runs to tell 2 % from 4 % (`python -m controlplane.domain.analysis.simulate 1000`)."""
    runs = 150
    harmed = {name: results(name, runs)["HARM"] for name in EQUAL}
    assert upper_limit(sum(harmed.values()), runs * len(EQUAL)) <= 0.04
    assert all(1 - upper_limit(runs - count, runs) <= 0.04 for count in harmed.values()), harmed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["errors at the margin", "wrong at the margin"])
def test_a_canary_at_the_margin_is_rarely_promoted(name: str):
    runs = 200
    assert upper_limit(results(name, runs)["SAFE"], runs) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", ["errors 1 to 5 %", "errors 1 to 5 %, 5 requests/s", "flipped labels"])
def test_a_broken_canary_is_caught(name: str):
    runs = 100
    assert upper_limit(runs - results(name, runs)["HARM"], runs) <= 0.05


@pytest.mark.slow
def test_users_who_always_fail_do_not_roll_a_session_canary_back():
    """Fifteen minutes show what an hour does: by then every user was counted in the last step."""
    runs = 40
    policy, scenario = SCENARIOS["session, 2,000 users, 1 % fail"]
    shorter = replace(scenario, seconds=900)
    found = Counter(run(policy, shorter, seed).result for seed in range(runs))
    assert found["HARM"] <= 2
    assert found["SAFE"] >= runs // 2


def test_flipped_labels_are_caught_within_the_first_minute():
    _, scenario = SCENARIOS["flipped labels"]
    outcomes = [run(BOTH, scenario, seed) for seed in range(5)]
    assert all(outcome.result == "HARM" and outcome.second < 60 for outcome in outcomes)
