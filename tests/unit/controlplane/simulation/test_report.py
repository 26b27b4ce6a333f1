"""What many runs say: planted outcomes have one row only."""

from collections.abc import Sequence

import pytest

from controlplane.simulation.baselines import run_baseline
from controlplane.simulation.report import (
    CURVE_POINTS,
    OURS,
    Held,
    Share,
    caught_by_units,
    holds,
    play,
    summarize,
)
from controlplane.simulation.scenario import Bound, Kind, Result, Scenario
from controlplane.simulation.trial import Outcome, run
from schemas.rollouts import CanaryPolicy

POLICY = CanaryPolicy()


def outcome(result: Result, second: int = 10, units: int = 100, late: int = 0, interrupted: bool = False) -> Outcome:
    return Outcome(result, "", second, units, 7 * units, 3.0, late, interrupted)


def scenario(kind: Kind, bound: Bound | None = None) -> Scenario:
    return Scenario(name="planted", description="what it is", kind=kind, bound=bound, error=(0.0, 1.0))


FOUND: Sequence[Outcome] = (
    outcome("SAFE", 900, 5000, late=5),
    outcome("HARM", 30, 300, interrupted=True),
    outcome("HARM", 10, 100),
    outcome("HARM", 40, 400, late=2),
    outcome("HARM", 20, 200),
)


def test_a_row_says_how_often_each_result_came_and_how_the_usual_one_did() -> None:
    row = summarize(scenario("harm"), OURS, FOUND)
    assert (row.scenario, row.description, row.kind, row.contender) == ("planted", "what it is", "harm", OURS)
    assert (row.runs, row.usual) == (5, "HARM")
    counts = {result: share.count for result, share in row.results.items()}
    assert counts == {"HARM": 4, "SAFE": 1, "INCONCLUSIVE": 0, "INVALID": 0, "UNDECIDED": 0}
    assert (row.results["HARM"].share, row.results["SAFE"].share) == (0.8, 0.2)
    # Clopper and Pearson's table: 4 of 5, and 0 of 5
    assert (row.results["HARM"].low, row.results["HARM"].high) == pytest.approx((0.2836, 0.9949), abs=1e-4)
    assert (row.results["INVALID"].low, row.results["INVALID"].high) == pytest.approx((0.0, 0.5218), abs=1e-4)
    # of the four that were rolled back alone
    assert (row.seconds.median, row.seconds.p90) == (20, 40)
    assert (row.canary_units.median, row.canary_units.p90) == (200, 400)
    assert (row.interrupted, row.late_units) == (1 / 5, 7 / 5)


def test_a_bound_is_asked_of_our_own_row_and_of_no_other_contender_s() -> None:
    ours = summarize(scenario("harm"), OURS, FOUND)
    assert (ours.bound, ours.held) == (Bound("HARM", at_least=0.95), "unclear")
    own = summarize(scenario("harm", Bound("SAFE", at_most=0.001)), OURS, FOUND)
    assert (own.bound, own.held) == (Bound("SAFE", at_most=0.001), "no")
    theirs = summarize(scenario("harm"), "argo", FOUND)
    assert (theirs.bound, theirs.held) == (None, None)
    unbound = summarize(scenario("other"), OURS, FOUND)
    assert (unbound.bound, unbound.held) == (None, None)


def test_only_of_a_harmful_canary_is_it_told_how_soon_it_was_caught() -> None:
    assert summarize(scenario("harm"), OURS, FOUND).curve == caught_by_units(FOUND)
    assert summarize(scenario("healthy"), OURS, FOUND).curve == ()


def test_the_curve_is_the_share_of_all_runs_that_were_rolled_back_within_so_many_units() -> None:
    found = [outcome("HARM", units=300), outcome("SAFE", units=50), *[outcome("HARM", units=100)] * 2]
    assert caught_by_units(found) == ((100, 2 / 4), (300, 3 / 4), (300, 3 / 4))  # it closes with its last point
    assert caught_by_units([outcome("SAFE")]) == ()


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    found = [outcome("HARM", units=units) for units in range(250, 0, -1)] + [outcome("SAFE")] * 250
    every_other = tuple((units, units / 500) for units in range(1, 250, 2))
    assert CURVE_POINTS == 100
    assert caught_by_units(found) == (*every_other, (250, 0.5))


@pytest.mark.parametrize(
    ("low", "high", "at_most", "at_least", "held"),
    [
        (0.0, 0.04, 0.04, 0.0, "yes"),
        (0.01, 0.041, 0.04, 0.0, "unclear"),
        (0.04, 0.20, 0.04, 0.0, "unclear"),
        (0.041, 0.20, 0.04, 0.0, "no"),
        (0.95, 1.0, 1.0, 0.95, "yes"),
        (0.949, 1.0, 1.0, 0.95, "unclear"),
        (0.80, 0.95, 1.0, 0.95, "unclear"),
        (0.80, 0.949, 1.0, 0.95, "no"),
    ],
)
def test_a_bound_is_held_or_broken_only_by_the_whole_interval(
    low: float, high: float, at_most: float, at_least: float, held: Held
) -> None:
    shares: dict[Result, Share] = {"HARM": Share(1, 0.5, 0.5, 0.5), "SAFE": Share(1, (low + high) / 2, low, high)}
    assert holds(Bound("SAFE", at_most, at_least), shares) == held


def test_every_seed_is_played_by_the_contender_that_is_named() -> None:
    bad = scenario("harm")
    assert play(POLICY, bad, OURS, (3, 8)) == [run(POLICY, bad, 3), run(POLICY, bad, 8)]
    expected = [run_baseline("flagger", POLICY, bad, seed) for seed in (3, 8)]
    assert play(POLICY, bad, "flagger", (3, 8)) == expected
    assert expected[0] != run(POLICY, bad, 3)
