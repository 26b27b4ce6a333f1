"""A plan says what is known beforehand of a policy: planted ones have one answer only."""

import pytest

from controlplane.domain.simulation.plan import (
    Traffic,
    default_harms,
    fastest_promotion,
    followed_seconds,
    harmful_world,
    healthy_world,
    runs_for,
    summarize_plan,
    why_never,
)
from controlplane.domain.simulation.trial import Outcome, run
from controlplane.domain.simulation.world import World
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric

QUICK = CanaryPolicy(steps=(0.5,), step_seconds=0, step_units=1, metrics=(ErrorMetric(margin=0.4),))
BUSY = Traffic(units_per_second=20, stable_error=0.0)


def outcome(result: str, second: int = 10, units: int = 100, bad: float = 4.0) -> Outcome:
    return Outcome(result, "", second, units, units, bad, 0, False)  # type: ignore[arg-type]


def test_a_canary_that_always_fails_is_caught_and_one_that_never_does_is_promoted_at_once() -> None:
    healthy = [run(QUICK, healthy_world(QUICK, BUSY), seed) for seed in range(12)]
    harmful = [run(QUICK, harmful_world(QUICK, BUSY, "error", 1.0), seed) for seed in range(12)]
    plan = summarize_plan(QUICK, BUSY, healthy, {("error", 1.0): harmful})
    assert plan.never is None
    assert plan.healthy is not None
    assert plan.healthy.promoted.count == plan.harms[0].caught.count == 12
    assert plan.healthy.promoted.low > 0.7
    assert plan.harms[0].caught_within_seconds[60].share == 1.0
    assert plan.harms[0].bad_answers == pytest.approx(sum(one.canary_served for one in harmful) / 12)
    assert plan.harms[0].bad_answers_of_stable == 0.0


def test_shares_quantiles_and_bad_answers_are_those_of_the_outcomes() -> None:
    traffic = Traffic(units_per_second=5, stable_error=0.02)
    found = [outcome("HARM", 50, 90), outcome("HARM", 400, 600), outcome("SAFE", 900, 2000), outcome("INVALID", 5, 1)]
    plan = summarize_plan(CanaryPolicy(), traffic, found, {("error", 0.05): found})
    harm = plan.harms[0]
    assert plan.healthy is not None
    assert (harm.caught.count, harm.promoted.count, plan.healthy.rolled_back.count) == (2, 1, 2)
    assert harm.seconds is not None
    assert (harm.seconds.median, harm.seconds.p90) == (50, 400)
    assert {units: share.count for units, share in harm.caught_within_units.items()} == {
        100: 1,
        300: 1,
        1000: 2,
        3000: 2,
    }
    assert [share.count for share in harm.caught_within_seconds.values()] == [1, 1, 2, 2]
    assert harm.bad_answers == 4.0
    assert harm.bad_answers_of_stable == pytest.approx(0.02 * (90 + 600 + 2000 + 1) / 4)


def test_too_little_traffic_can_never_promote_and_the_plan_says_why() -> None:
    hourly = CanaryPolicy(max_seconds=3600)
    assert why_never(hourly, Traffic(50, 0.01)) is None
    # 30 units at 5, 10, 25 and 50 % of 0.1/s: 6000 + 3000 + 1200 + 600 s
    assert fastest_promotion(hourly, Traffic(0.1, 0.01)) == pytest.approx(10_800)
    assert "10800 s" in (why_never(hourly, Traffic(0.1, 0.01)) or "")


def test_steps_wait_for_labels_too() -> None:
    both = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
    assert fastest_promotion(both, Traffic(50, 0.01, 0.1, labelled=0.001)) == pytest.approx(21_600)
    assert fastest_promotion(CanaryPolicy(), Traffic(50, 0.01, 0.1, labelled=0.001)) == pytest.approx(240)


def test_a_plan_without_any_promotion_in_all_the_time_there_is_says_so() -> None:
    short = CanaryPolicy(max_seconds=300, metrics=(ErrorMetric(margin=0.001),))
    plan = summarize_plan(short, Traffic(1000, 0.01), [outcome("INCONCLUSIVE", 300)] * 5, {})
    assert plan.never == "none of 5 healthy canaries was promoted within the maximum duration of 300 s"


def test_the_default_harm_is_two_margins_of_every_metric() -> None:
    both = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
    assert default_harms(both, Traffic(50, 0.01, 0.18)) == pytest.approx({"error": 0.03, "wrong": 0.28})


def test_rare_traffic_is_followed_for_longer_and_played_less_often() -> None:
    assert followed_seconds(CanaryPolicy(), Traffic(50, 0.01)) == 4 * 3600
    assert followed_seconds(CanaryPolicy(), Traffic(0.5, 0.01)) == 40_000
    assert followed_seconds(CanaryPolicy(), Traffic(0.001, 0.01)) == 24 * 3600
    assert runs_for(CanaryPolicy(), Traffic(50, 0.01)) == 200
    assert runs_for(CanaryPolicy(), Traffic(0.5, 0.01)) == 20


@pytest.mark.parametrize("rate", [0.5, 1.5])
def test_counts_drawn_one_by_one_are_those_drawn_by_rate(rate: float) -> None:
    """Both sides of the limit below which arrivals are drawn one by one: 30 % of the requests, 20 % errors."""
    world = World(healthy_world(CanaryPolicy(), Traffic(rate, 0.2)), CanaryPolicy(), 1)
    seen = [world.second(at, 0.3, 1.0) for at in range(20_000)]
    assert sum(canary.units for _, canary in seen) / 20_000 == pytest.approx(0.3 * rate, rel=0.05)
    assert sum(stable.errors for stable, _ in seen) / 20_000 == pytest.approx(0.7 * 0.2 * rate, rel=0.07)
