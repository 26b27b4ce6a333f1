"""What befalls a request when the drawn numbers are known."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from controlplane.simulation.draws import Draws
from controlplane.simulation.drifts import step_change
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.lanes import Lanes
from controlplane.simulation.scenario import LabelChances, Late, Scenario
from controlplane.simulation.world import World, base_rates
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric
from schemas.serving import Arm, SessionUnit, UnitEnd

BY_SESSION = CanaryPolicy(randomize="session", metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)))
NO_FAULT = Scenario(name="planted", description="", kind="other", error=(0.0, 0.0), wrong=(0.0, 0.0), users=1000)


def planted(
    scenario: Scenario,
    uniform: float,
    poisson: Callable[[float], int] = lambda rate: 3,
    policy: CanaryPolicy = BY_SESSION,
) -> World:
    """A world in which every number that is drawn is this one, and as many come as are planted."""
    world = World(scenario, policy, seed=1)
    world.draws.uniform = lambda: uniform
    world.draws.poisson = poisson  # type: ignore[method-assign]
    return world


def unit(arm: Arm, end: UnitEnd = "ok") -> SessionUnit:
    return SessionUnit(key_hash="a" * 32, arm=arm, end=end)


def test_a_gateway_meets_its_share_of_the_users() -> None:
    asked: list[float] = []

    def poisson(rate: float) -> int:
        asked.append(rate)
        return 2

    doubled = replace(NO_FAULT, requests_per_second=40, traffic=lambda at: 2.0 if at == 7 else 1.0)
    world = planted(doubled, 0.5, poisson)
    for at in (0, 7):
        world.sessions(at, 0, 0.1, 0.25)
    assert asked == [10.0, 20.0]


@pytest.mark.parametrize(("weight", "arm", "end"), [(0.6, "canary", "error"), (0.4, "stable", "ok")])
def test_a_user_fails_as_often_as_the_arm_does(weight: float, arm: Arm, end: UnitEnd) -> None:
    [met] = planted(replace(NO_FAULT, error=(0.0, 1.0)), 0.5).sessions(0, 0, weight, 1.0)
    assert (met.arm, met.end) == (arm, end)


def test_a_user_stays_on_an_arm_within_a_step() -> None:
    world = planted(NO_FAULT, 0.5)
    arms = [
        world.sessions(at, step, weight, 1.0)[0].arm for at, step, weight in ((0, 0, 0.4), (1, 0, 0.6), (2, 1, 0.6))
    ]
    assert arms == ["stable", "stable", "canary"]


def test_what_has_no_chance_never_happens_whatever_is_drawn() -> None:
    world = planted(NO_FAULT, 0.0)
    [met] = world.sessions(0, 0, 0.0, 1.0)
    assert (met.arm, met.end) == ("stable", "ok")
    assert world.session_labels(0, unit("canary")) == (False, 0.0), "no answer is wrong"
    assert planted(replace(NO_FAULT, labels=LabelChances(0, 0, 0, 0)), 0.0).session_labels(0, unit("canary")) is None


CHANCES = LabelChances(stable_right=0.6, stable_wrong=0.1, canary_right=0.1, canary_wrong=0.6)
LATE = Late(stable_right=1.0, stable_wrong=2.0, canary_right=3.0, canary_wrong=4.0)


@pytest.mark.parametrize(
    ("wrong", "arm", "found"),
    [
        ((0.4, 0.6), "stable", (False, 1.0)),
        ((0.4, 0.6), "canary", (True, 4.0)),
        ((0.6, 0.4), "stable", None),
        ((0.6, 0.4), "canary", None),
    ],
)
def test_an_answer_is_labelled_as_likely_as_its_arm_and_its_being_wrong_make_it(
    wrong: tuple[float, float], arm: Arm, found: tuple[bool, float] | None
) -> None:
    """Drawn is a half: below 0.6, and not below 0.4 or 0.1."""
    world = planted(replace(NO_FAULT, wrong=wrong, labels=CHANCES, late=LATE), 0.5)
    assert world.session_labels(0, unit(arm)) == found
    assert world.session_labels(0, unit(arm, "error")) is None, "an error has no answer that a label could be of"


def test_rates_drift_before_they_are_drawn_from() -> None:
    drifting = planted(replace(NO_FAULT, error=(0.2, 0.2), error_drift=step_change), 0.5)
    assert [drifting.sessions(at, at, 0.0, 1.0)[0].end for at in (89, 90)] == ["ok", "error"]


@pytest.mark.parametrize(
    ("drawn", "fate"),
    [
        (0.05, (ArmSecond(unlabelled=1), ArmSecond())),
        (0.20, (ArmSecond(right=1), ArmSecond())),
        (0.45, (ArmSecond(wrong=1), ArmSecond())),
        (0.55, (ArmSecond(), ArmSecond(right=1))),
        (0.70, (ArmSecond(), ArmSecond(failed=1))),
        (0.76, (ArmSecond(), ArmSecond(hanging=1))),
        (0.99, (ArmSecond(), ArmSecond(hanging=1))),
    ],
)
def test_where_requests_are_rare_each_gets_its_fate_by_one_draw(
    drawn: float, fate: tuple[ArmSecond, ArmSecond]
) -> None:
    """Half are the canary's: of those a half hang, and of the rest a half fail. Of the stable version's a fifth is
    wrong; every wrong answer has a label, and three of four right ones."""
    scenario = replace(
        NO_FAULT,
        users=0,
        requests_per_second=0.5,
        error=(0.0, 0.5),
        wrong=(0.2, 0.0),
        hanging=(0.0, 0.5),
        labels=LabelChances(stable_right=0.75, stable_wrong=1.0, canary_right=1.0, canary_wrong=1.0),
    )
    # stable: 0.1 without a label, 0.3 right, 0.1 wrong; canary: 0.125 right, 0.125 failed, 0.25 hanging
    assert planted(scenario, drawn, lambda rate: 1).second(0, 0.5, 1.0) == fate


@pytest.mark.parametrize(("drawn", "wrong"), [(0.59, True), (0.61, False)])
@pytest.mark.parametrize(("unknown", "arm"), [((0.5, 0.0), "stable"), ((0.0, 0.5), "canary")])
def test_an_answer_of_a_class_that_its_arm_does_not_know_is_wrong(
    unknown: tuple[float, float], arm: Arm, drawn: float, wrong: bool
) -> None:
    """Half of the rows are of such a class, and of the others a fifth is wrong: 0.6 in all, of this arm alone."""
    world = planted(replace(NO_FAULT, wrong=(0.2, 0.2), unknown=unknown), drawn)
    assert world.session_labels(0, unit(arm)) == (wrong, 0.0)
    other: Arm = "canary" if arm == "stable" else "stable"
    assert world.session_labels(0, unit(other)) == (False, 0.0)


def test_margins_are_the_policy_s_and_none_where_it_has_no_such_metric() -> None:
    asked = replace(NO_FAULT, error=(0.01, 0.25), wrong=(0.125, 0.5), error_margins=1.0, wrong_margins=2.0)
    error, wrong = ErrorMetric(margin=0.0625), WrongMetric(name="wrong", margin=0.125)
    assert base_rates(asked, CanaryPolicy(metrics=(error, wrong))) == ((0.01, 0.3125), (0.125, 0.75))
    assert base_rates(asked, CanaryPolicy(metrics=(error,))) == ((0.01, 0.3125), (0.125, 0.5))
    assert base_rates(asked, CanaryPolicy(metrics=(wrong,))) == ((0.01, 0.25), (0.125, 0.75))


@pytest.mark.parametrize(("every", "group", "matter"), [(0, 1, False), (1, 1, True), (0, 2, True), (2000, 5, True)])
def test_lanes_matter_where_they_stall_or_errors_come_together(every: int, group: int, matter: bool) -> None:
    assert Lanes(replace(NO_FAULT, stall_every=every, group=group), Draws("planted")).matter == matter
