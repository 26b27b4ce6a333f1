"""The baselines do what their manuals and textbooks say of them."""

from dataclasses import dataclass, replace
from random import Random
from typing import cast

import pytest

from controlplane.domain.analysis.eprocess import Counts
from controlplane.simulation.baselines import (
    BASELINES,
    Argo,
    Baseline,
    Flagger,
    Limits,
    ZTest,
    run_baseline,
    z_score,
)
from controlplane.simulation.scenario import Outage, Result, Scenario
from controlplane.simulation.scenarios import SCENARIOS
from controlplane.simulation.stream import PACE, Stream, Window
from controlplane.simulation.world import World, stable_rates
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric

BOTH = CanaryPolicy(metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
ERRORS = CanaryPolicy()


def always(error: tuple[float, float], **how: float) -> Scenario:
    return Scenario(name="planted", description="", kind="other", error=error, requests_per_second=how.get("rate", 50))


def play(baseline: Baseline, scenario: Scenario) -> tuple[Result | None, int]:
    stream, now = Stream(scenario, World(scenario, ERRORS, 1)), 0
    result: Result | None = None
    while result is None and now < 3600:
        stream.serve(now, baseline.weight)
        now += PACE
        result = baseline.look(now, stream)
    return result, now


def argo(**how: int) -> Argo:
    options = {"step_seconds": 600, "starting_step": 1, "interval": 300, "window": 15, "failure_limit": 3, **how}
    return Argo((0.2, 0.4, 0.6, 0.8), limits=Limits(0.05), **options)


def test_argo_fails_with_the_measurement_after_its_limit() -> None:
    # measured at 600, 900, 1200, 1500 s: the fourth failure is more than three
    assert play(argo(), always((0.0, 1.0))) == ("HARM", 1500)
    assert play(argo(failure_limit=0), always((0.0, 1.0))) == ("HARM", 600)


def test_argo_promotes_at_the_end_of_its_steps() -> None:
    assert play(argo(), always((0.0, 0.0))) == ("SAFE", 2400)


def test_argo_aborts_when_it_measures_nothing_five_times_in_a_row() -> None:
    silent = Scenario(
        name="silent",
        description="",
        kind="other",
        outages=(Outage(0, 9999),),
    )
    assert play(argo(interval=60, window=60), silent) == ("HARM", 600 + 4 * 60)


def test_a_success_rate_of_nothing_is_a_failure() -> None:
    assert play(argo(), always((0.0, 0.0), rate=0.0)) == ("HARM", 1500)


@dataclass
class Shown:
    """A stream that shows one window after another; None: a gap."""

    windows: list[Window | None]

    def last(self, seconds: int) -> Window | None:
        return self.windows.pop(0)

    def all(self) -> Window:
        return self.windows[0] or Window(Counts(), Counts())


def window(units: int, errors: int, wrong: int = 0) -> Window:
    """Of the canary, every answer labelled; the stable version has a hundred of which ten are bad."""
    return Window(Counts(100, 10, units, errors), Counts(100, 10, units, wrong))


def shown(*windows: Window | None) -> Stream:
    return cast(Stream, Shown(list(windows)))


def test_argo_is_aborted_by_gaps_in_a_row_only() -> None:
    good, baseline = window(100, 0), argo(interval=5, starting_step=0, failure_limit=0)
    stream = shown(*[None] * 4, good, *[None] * 5)
    assert [baseline.look(now, stream) for now in range(5, 50, 5)] == [None] * 9
    assert baseline.look(50, stream) == "HARM"


def test_argo_measures_nothing_at_the_start() -> None:
    baseline = argo(interval=5, starting_step=0, failure_limit=0)
    assert baseline.look(0, shown(window(100, 100))) is None
    assert baseline.look(5, shown(window(100, 100))) == "HARM"


def test_a_limit_is_kept_by_just_so_many_and_by_no_canary_without_requests() -> None:
    limits = Limits(error=0.05, wrong=0.2)
    assert limits.kept(window(100, 5, 20))
    assert not limits.kept(window(100, 6, 20))
    assert not limits.kept(window(100, 5, 21))
    assert Limits(error=0.05).kept(window(100, 5, 100)), "nobody looks at wrong answers"
    left = Window(Counts(100, 0, 100, 0), Counts(), Counts(100, 0, 100, 4))
    assert [Limits(0.05, abandoned=limit).kept(left) for limit in (None, 0.04, 0.03)] == [True, True, False]
    assert limits.kept(window(1, 0, 0))
    assert not limits.kept(window(0, 0, 0))


def test_a_z_test_asks_for_more_than_its_critical_value() -> None:
    baseline, found = ZTest((0.5,), 60, 10, 0.05), window(100, 20)
    baseline.critical = z_score(found.error)
    assert baseline.look(10, shown(found)) is None
    baseline.critical -= 1e-9
    assert baseline.look(15, shown(found)) is None, "between two ticks"
    assert baseline.look(20, shown(found)) == "HARM"


LABELS_ALONE = CanaryPolicy(metrics=(WrongMetric(name="wrong", margin=0.05),))
WORLD = Scenario(
    name="planted", description="", kind="other", error=(0.02, 0.5), wrong=(0.18, 0.5), hanging=(0.01, 0.0)
)


def test_argo_and_flagger_are_set_up_as_their_manuals_show_them() -> None:
    assert BASELINES["argo"](WORLD, BOTH) == Argo(
        steps=(0.2, 0.4, 0.6, 0.8),
        step_seconds=600,
        starting_step=1,
        interval=300,
        window=15,
        failure_limit=3,
        limits=Limits(0.05),
    )
    assert BASELINES["flagger"](WORLD, BOTH) == Flagger(
        interval=60, threshold=10, step_weight=5, max_weight=50, limits=Limits(0.01)
    )


def test_the_tuned_ones_have_our_ladder_or_ten_percent_a_minute_and_one_margin_above_the_stable_rates() -> None:
    allowed = Limits(pytest.approx(0.04), pytest.approx(0.23))  # type: ignore[arg-type]
    assert BASELINES["argo-tuned"](WORLD, BOTH) == Argo(
        steps=BOTH.steps,
        step_seconds=60,
        starting_step=0,
        interval=20,
        window=60,
        failure_limit=3,
        limits=allowed,
    )
    assert BASELINES["flagger-tuned"](WORLD, BOTH) == Flagger(
        interval=60, threshold=5, step_weight=10, max_weight=50, limits=allowed
    )


def tuned_limits(policy: CanaryPolicy) -> Limits:
    baseline = BASELINES["flagger-tuned"](WORLD, policy)
    assert isinstance(baseline, Flagger)
    return baseline.limits


def test_a_metric_that_the_policy_does_not_have_is_allowed_a_point_or_not_looked_at() -> None:
    assert (tuned_limits(LABELS_ALONE).error, tuned_limits(LABELS_ALONE).wrong) == pytest.approx((0.04, 0.23))
    assert tuned_limits(ERRORS).wrong is None
    broad = ERRORS.model_copy(update={"metrics": (ErrorMetric(margin=0.1),)})
    assert tuned_limits(broad).error == pytest.approx(0.13)


def test_the_stable_rates_are_those_that_its_owner_would_have_measured() -> None:
    users = replace(WORLD, failing_users=0.1)
    assert stable_rates(users) == pytest.approx({"error": 0.02 + 0.1 + 0.01, "wrong": 0.18, "abandoned": 0.0})
    assert stable_rates(replace(users, error=(0.95, 0.0))) == {"error": 1.0, "wrong": 0.18, "abandoned": 0.0}


@pytest.mark.parametrize(("seconds", "paced"), [(0, 5), (2, 5), (7, 5), (8, 10), (60, 60)])
def test_the_z_tests_climb_our_ladder_at_the_pace_of_the_stream(seconds: float, paced: int) -> None:
    policy = BOTH.model_copy(update={"step_seconds": seconds, "tick_seconds": max(seconds, 1)})
    every_tick = BASELINES["z-test"](WORLD, policy)
    assert isinstance(every_tick, ZTest)
    assert (every_tick.steps, every_tick.step_seconds, every_tick.tick) == (BOTH.steps, paced, paced)
    assert every_tick.alpha == 0.05


def test_the_corrected_z_test_shares_its_error_among_all_looks_and_metrics() -> None:
    corrected = BASELINES["z-corrected"](WORLD, BOTH)
    assert isinstance(corrected, ZTest)
    # four steps of a minute, a look every ten seconds, two metrics
    assert corrected.alpha == pytest.approx(0.05 / 24 / 2)
    cut = BASELINES["z-corrected"](replace(WORLD, seconds=120), BOTH)
    assert isinstance(cut, ZTest)
    assert cut.alpha == pytest.approx(0.05 / 12 / 2)


def test_a_world_that_is_cut_at_so_many_units_ends_undecided_as_soon_as_they_are_there() -> None:
    equal = replace(SCENARIOS["equal"], seconds=50)
    seen = run_baseline("flagger", BOTH, equal, 1)
    assert (seen.result, seen.second) == ("UNDECIDED", 50)
    cut = run_baseline("flagger", BOTH, replace(equal, seconds=500, stop_at_units=seen.canary_units), 1)
    assert cut == seen


def test_flagger_rolls_back_at_the_check_after_its_threshold() -> None:
    assert play(Flagger(60, 10, 5, 50, Limits(0.01)), always((0.0, 1.0))) == ("HARM", 660)
    assert play(Flagger(60, 2, 5, 50, Limits(0.01)), always((0.0, 1.0))) == ("HARM", 180)


def test_flagger_climbs_by_its_step_and_promotes_after_the_largest_weight() -> None:
    # weights 5, 10, ..., 50 %, a minute each
    assert play(Flagger(60, 10, 5, 50, Limits(0.01)), always((0.0, 0.0))) == ("SAFE", 600)


def test_the_z_score_is_the_textbook_s() -> None:
    # two shares of 15 % and 10 % among 200 each: pooled 12.5 %, z = 0.05 / sqrt(0.125 * 0.875 / 100)
    assert z_score(Counts(200, 20, 200, 30)) == pytest.approx(1.5119, abs=1e-4)
    assert z_score(Counts(10, 0, 0, 0)) == 0.0
    assert z_score(Counts(10, 0, 10, 0)) == 0.0


@pytest.mark.parametrize(("looks", "chance"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193)])
def test_looking_again_and_again_inflates_a_z_test_as_armitage_found(looks: int, chance: float) -> None:
    """Two-sided 5 % at each of equally spaced looks (Armitage, McPherson and Rowe 1969, table 2)."""
    critical, random, runs = ZTest((0.5,), 60, 10, 0.025).critical, Random(looks), 2500
    alarms = 0
    for _ in range(runs):
        counts = Counts()
        alarmed = False
        for _ in range(looks):
            stable, canary = (sum(random.getrandbits(1) for _ in range(60)) for _ in range(2))
            counts = counts.plus(Counts(60, stable, 60, canary))
            alarmed = alarmed or abs(z_score(counts)) > critical
        alarms += alarmed
    assert alarms / runs == pytest.approx(chance, abs=0.025)  # 3 standard errors, and what whole numbers add


@pytest.mark.parametrize("name", ["argo", "argo-tuned", "flagger", "flagger-tuned", "z-test", "z-corrected"])
def test_every_baseline_meets_the_same_world_again_for_the_same_seed(name: str) -> None:
    played = [run_baseline(name, BOTH, SCENARIOS["errors-1-to-20"], seed) for seed in (3, 3)]
    assert played[0] == played[1]
    assert played[0].result == "HARM"


def test_tuned_thresholds_know_the_stable_rates_and_the_margins() -> None:
    assert run_baseline("flagger-tuned", BOTH, SCENARIOS["equal"], 1).result == "SAFE"
    assert run_baseline("flagger-tuned", BOTH, SCENARIOS["flipped-labels"], 1).result == "HARM"
    assert run_baseline("flagger", BOTH, SCENARIOS["flipped-labels"], 1).canary_units > 1000, "it sees no labels"
