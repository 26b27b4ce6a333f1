"""The baselines do what their manuals and textbooks say of them."""

from random import Random

import pytest

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.simulation.baselines import Argo, Baseline, Flagger, Limits, ZTest, run_baseline, z_score
from controlplane.domain.simulation.scenario import Outage, Result, Scenario
from controlplane.domain.simulation.scenarios import SCENARIOS
from controlplane.domain.simulation.stream import PACE, Stream
from controlplane.domain.simulation.world import World
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
