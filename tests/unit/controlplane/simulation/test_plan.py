"""A plan says what is known beforehand of a policy: planted ones have one answer only."""

from dataclasses import replace

import pytest

from controlplane.simulation.plan import (
    Plan,
    Traffic,
    default_harms,
    fastest_promotion,
    followed_seconds,
    harmful_world,
    healthy_world,
    hopeless,
    runs_for,
    summarize_plan,
    why_never,
)
from controlplane.simulation.report import Spread
from controlplane.simulation.scenario import LabelChances, Scenario
from controlplane.simulation.trial import Outcome, run
from controlplane.simulation.world import World
from schemas.rollouts import AbandonedMetric, CanaryPolicy, ErrorMetric, WrongMetric

QUICK = CanaryPolicy(steps=(0.5,), step_seconds=0, step_units=1, metrics=(ErrorMetric(margin=0.4),))
BUSY = Traffic(units_per_second=20, stable_error=0.0)


BOTH = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))


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


NEVER = (
    "the steps need about 10800 s to see 30 units of every metric on the canary: "
    "the maximum duration is 3600 s, so this traffic can never promote"
)


def test_too_little_traffic_can_never_promote_and_the_plan_says_why() -> None:
    hourly = CanaryPolicy(max_seconds=3600)
    assert why_never(hourly, Traffic(50, 0.01)) is None
    # four steps of a minute each
    assert why_never(CanaryPolicy(max_seconds=240), Traffic(50, 0.01)) is None, "just in time"
    # 30 units at 5, 10, 25 and 50 % of 0.1/s: 6000 + 3000 + 1200 + 600 s
    assert fastest_promotion(hourly, Traffic(0.1, 0.01)) == pytest.approx(10_800)
    assert why_never(hourly, Traffic(0.1, 0.01)) == NEVER


def test_steps_wait_for_labels_too() -> None:
    assert fastest_promotion(BOTH, Traffic(50, 0.01, 0.1, labelled=0.001)) == pytest.approx(21_600)
    assert fastest_promotion(CanaryPolicy(), Traffic(50, 0.01, 0.1, labelled=0.001)) == pytest.approx(240)


def test_a_plan_without_any_promotion_in_all_the_time_there_is_says_so() -> None:
    short = CanaryPolicy(max_seconds=300, metrics=(ErrorMetric(margin=0.001),))
    plan = summarize_plan(short, Traffic(1000, 0.01), [outcome("INCONCLUSIVE", 300)] * 5, {})
    assert plan.never == "none of 5 healthy canaries was promoted within the maximum duration of 300 s"


def test_the_default_harm_is_two_margins_of_every_metric() -> None:
    assert default_harms(BOTH, Traffic(50, 0.01, 0.18)) == pytest.approx({"error": 0.03, "wrong": 0.28})
    watching = CanaryPolicy(metrics=(AbandonedMetric(name="abandoned", margin=0.02),))
    assert default_harms(watching, Traffic(50, 0.01, stable_abandoned=0.05)) == pytest.approx({"abandoned": 0.09})
    assert default_harms(BOTH, Traffic(50, 0.99, 0.95)) == {"error": 1.0, "wrong": 1.0}, "no rate is above one"


def test_rare_traffic_is_followed_for_longer_and_played_less_often() -> None:
    assert followed_seconds(CanaryPolicy(), Traffic(50, 0.01)) == 4 * 3600
    assert followed_seconds(CanaryPolicy(), Traffic(0.5, 0.01)) == 40_000
    assert followed_seconds(CanaryPolicy(), Traffic(0.001, 0.01)) == 24 * 3600
    assert runs_for(CanaryPolicy(), Traffic(50, 0.01)) == 200
    assert runs_for(CanaryPolicy(), Traffic(0.5, 0.01)) == 20


def test_a_plan_that_cannot_be_kept_is_not_played() -> None:
    hourly, rare = CanaryPolicy(max_seconds=3600), Traffic(0.1, 0.01)
    assert hopeless(hourly, Traffic(50, 0.01)) is None
    assert hopeless(hourly, rare) == Plan(runs=0, simulated_seconds=0, healthy=None, harms=(), never=NEVER)
    played = summarize_plan(hourly, rare, [outcome("SAFE")], {})
    assert (played.never, played.runs) == (NEVER, 1)


def test_promotions_or_time_that_is_left_leave_a_plan_its_hope() -> None:
    short = CanaryPolicy(max_seconds=300)
    busy = Traffic(1000, 0.01)
    assert summarize_plan(short, busy, [outcome("INCONCLUSIVE", 300), outcome("SAFE")], {}).never is None
    assert summarize_plan(CanaryPolicy(), busy, [outcome("UNDECIDED", 14_400)], {}).never is None


def test_the_healthy_canary_s_figures_are_of_those_that_were_promoted() -> None:
    found = [outcome("SAFE", 900, 2000), outcome("SAFE", 700, 1000), outcome("HARM", 50, 90), outcome("SAFE", 800, 9)]
    plan = summarize_plan(CanaryPolicy(), Traffic(50, 0.01), found, {})
    assert plan.healthy is not None
    assert (plan.healthy.promoted.count, plan.healthy.rolled_back.count, plan.healthy.promoted.share) == (3, 1, 0.75)
    assert (plan.healthy.seconds, plan.healthy.canary_units) == (Spread(800, 900), Spread(1000, 2000))
    assert (plan.runs, plan.simulated_seconds, plan.harms) == (4, 4 * 3600, ())
    none = summarize_plan(CanaryPolicy(), Traffic(50, 0.01), [outcome("HARM")], {}).healthy
    assert none is not None
    assert (none.seconds, none.canary_units) == (None, None)


def test_a_canary_that_is_caught_with_just_so_many_units_or_seconds_is_caught_within_them() -> None:
    found = [outcome("HARM", 60, 100), outcome("HARM", 61, 101), outcome("SAFE", 1, 1)]
    [harm] = summarize_plan(CanaryPolicy(), Traffic(50, 0.01), [outcome("SAFE")], {("error", 0.05): found}).harms
    assert (harm.metric, harm.rate) == ("error", 0.05)
    assert [share.count for share in harm.caught_within_units.values()] == [1, 2, 2, 2]
    assert [share.count for share in harm.caught_within_seconds.values()] == [1, 2, 2, 2]
    assert (harm.seconds, harm.canary_units) == (Spread(60, 61), Spread(100, 101))


@pytest.mark.parametrize(("policy", "rate"), [(BOTH, 0.1 + 0.9 * 0.3), (CanaryPolicy(), 0.1)])
def test_an_answer_is_bad_by_an_error_or_where_anybody_looks_by_being_wrong(policy: CanaryPolicy, rate: float) -> None:
    traffic = Traffic(50, stable_error=0.1, stable_wrong=0.3)
    plan = summarize_plan(policy, traffic, [outcome("SAFE")], {("error", 0.2): [outcome("HARM", units=1000)]})
    assert plan.harms[0].bad_answers_of_stable == pytest.approx(1000 * rate)


def test_the_worlds_of_a_plan_are_its_traffic_with_one_rate_changed() -> None:
    """Their names differ, for a world is drawn from its name and a seed."""
    traffic = Traffic(2, stable_error=0.02, stable_wrong=0.3, labelled=0.4, stable_abandoned=0.1)
    healthy = Scenario(
        name="plan",
        description="a healthy canary",
        kind="healthy",
        error=(0.02, 0.02),
        wrong=(0.3, 0.3),
        abandoned=(0.1, 0.1),
        requests_per_second=2,
        labels=LabelChances(0.4, 0.4, 0.4, 0.4),
        seconds=4 * 3600,
        fold_seconds=5,
    )
    assert healthy_world(BOTH, traffic) == healthy
    assert harmful_world(BOTH, traffic, "error", 0.05) == replace(healthy, name="plan/error", error=(0.02, 0.05))
    abandoned = replace(healthy, name="plan/abandoned", abandoned=(0.1, 0.4))
    assert harmful_world(BOTH, traffic, "abandoned", 0.4) == abandoned
    assert harmful_world(BOTH, traffic, "wrong", 0.25) == replace(healthy, name="plan/wrong", wrong=(0.3, 0.25))


@pytest.mark.parametrize(("rate", "seconds"), [(50, 5), (1, 5), (0.9, 6), (0.5, 10), (0.25, 20), (0.01, 60)])
def test_the_rarer_the_traffic_the_longer_the_pause_between_two_folds(rate: float, seconds: int) -> None:
    """Five requests, in five seconds to a minute."""
    assert healthy_world(BOTH, Traffic(rate, 0.01)).fold_seconds == seconds


@pytest.mark.parametrize("rate", [0.5, 1.5])
def test_counts_drawn_one_by_one_are_those_drawn_by_rate(rate: float) -> None:
    """Both sides of the limit below which arrivals are drawn one by one: 30 % of the requests, of which 10 % are
    abandoned; of the others 20 % are errors."""
    traffic = Traffic(rate, 0.2, stable_abandoned=0.1)
    world = World(healthy_world(CanaryPolicy(), traffic), CanaryPolicy(), 1)
    seen = [world.second(at, 0.3, 1.0) for at in range(20_000)]
    assert sum(canary.units for _, canary in seen) / 20_000 == pytest.approx(0.3 * rate, rel=0.05)
    assert sum(canary.abandoned for _, canary in seen) / 20_000 == pytest.approx(0.3 * 0.1 * rate, rel=0.15)
    assert sum(stable.errors for stable, _ in seen) / 20_000 == pytest.approx(0.7 * 0.9 * 0.2 * rate, rel=0.07)
