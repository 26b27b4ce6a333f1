"""How rates move: planted seconds have one rate only."""

import pytest

from controlplane.simulation.drifts import (
    climbing,
    creeping,
    daily,
    incident,
    step_change,
    swinging,
    with_load,
)
from controlplane.simulation.scenario import Drift, Rates

RATES = (0.01, 0.02)


def times(factor: float) -> Rates:
    return pytest.approx((0.01 * factor, 0.02 * factor))  # type: ignore[return-value]


@pytest.mark.parametrize(("at", "factor"), [(0, 1), (300, 2), (309, 2), (310, 2 + 1 / 30), (600, 3), (1200, 3)])
def test_both_arms_climb_in_ten_minutes_until_the_stable_one_is_there(at: int, factor: float) -> None:
    assert climbing(0.03)(at, RATES) == times(factor)


def test_a_climb_may_take_another_time_and_may_go_down() -> None:
    assert climbing(0.005, 100)(50, RATES) == times(0.75)
    assert climbing(0.005, 100)(100, RATES) == times(0.5)


@pytest.mark.parametrize(("at", "canary"), [(0, 0.02), (150, 0.035), (300, 0.05), (9000, 0.05)])
def test_the_canary_alone_creeps(at: int, canary: float) -> None:
    assert creeping(0.05, 300)(at, RATES) == pytest.approx((0.01, canary))


@pytest.mark.parametrize(
    ("drift", "at", "factor"),
    [
        (incident, 59, 1), (incident, 60, 4), (incident, 159, 4), (incident, 160, 1),
        (step_change, 89, 1), (step_change, 90, 3), (step_change, 9999, 3),
        (swinging, 0, 1), (swinging, 25, 1 + 0.8 * 0.4067366), (swinging, 50, 1 + 0.8 * 0.8660254),
        (swinging, 150, 1), (swinging, 250, 1 - 0.8 * 0.8660254),
        (with_load, 0, 0.5 + 0.1 / 1.9), (with_load, 900, 0.5 + 1 / 1.9), (with_load, 1800, 1.5),
    ],
)  # fmt: skip
def test_both_arms_move_together(drift: Drift, at: int, factor: float) -> None:
    assert drift(at, RATES) == times(factor)


@pytest.mark.parametrize(("at", "factor"), [(0, 0.1), (9, 0.1), (900, 1.0), (1800, 1.9), (2700, 1.0), (3600, 0.1)])
def test_a_day_of_an_hour_starts_at_night(at: int, factor: float) -> None:
    assert daily(at) == pytest.approx(factor)


def test_no_rate_climbs_above_one() -> None:
    assert incident(60, (0.2, 0.3)) == (0.8, 1.0)
    assert incident(60, (0.3, 0.2)) == (1.0, 0.8)
