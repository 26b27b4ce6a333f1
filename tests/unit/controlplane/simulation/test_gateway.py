"""An imagined gateway in a planted world: what it counts, what is lost with it, and when labels come back."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest

from controlplane.domain.analysis.cohorts import Label
from controlplane.simulation.control import ControlPlane, Desired
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.gateway import LATENCY_SECONDS, RESTART_SECONDS, Gateway
from controlplane.simulation.scenario import Outage, Scenario
from controlplane.simulation.world import World
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, ArmCounts, GenerationSecond, LostUnits, Observation, SessionUnit

POLICY = CanaryPolicy(deadline_seconds=4, lease_seconds=15)
QUIET = (ArmSecond(right=10), ArmSecond(right=2))
PLAIN = Scenario(name="planted", description="", kind="other")
USER = SessionUnit(key_hash="a" * 32, arm="canary", end="ok")


@dataclass
class Planted:
    """A world whose every second is known."""

    seconds: dict[int, tuple[ArmSecond, ArmSecond]] = field(default_factory=dict)
    users: tuple[SessionUnit, ...] = ()
    drawn: float = 0.0
    wrong: float = 0.25
    late: float = 0.0
    session_label: tuple[bool, float] | None = None
    asked: list[tuple[int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keyed = bool(self.users)
        self.draws = SimpleNamespace(uniform=lambda: self.drawn)

    def second(self, at: int, weight: float, share: float) -> tuple[ArmSecond, ArmSecond]:
        self.asked.append((at, weight, share))
        return self.seconds.get(at, QUIET)

    def sessions(self, at: int, step: int, weight: float, share: float) -> tuple[SessionUnit, ...]:
        self.asked.append((at, weight, share))
        return self.users

    def session_labels(self, at: int, unit: SessionUnit) -> tuple[bool, float] | None:
        return self.session_label

    def wrong_rate(self, at: int) -> float:
        return self.wrong

    def delays(self, arm: Arm, wrong: bool, number: int) -> Iterator[tuple[float, int]]:
        yield self.late, number


@dataclass
class Heard:
    """A control plane that keeps what it is told."""

    policy: CanaryPolicy = POLICY
    lease: float = POLICY.lease_seconds
    desired: list[Desired] = field(default_factory=lambda: [Desired(1, 0, 0.1, 0)])
    boots: list[tuple[UUID, int, int]] = field(default_factory=list)
    observed: list[Observation] = field(default_factory=list)
    lost: list[LostUnits] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def register(self, boot: UUID, first_second: int, now: int) -> None:
        self.boots.append((boot, first_second, now))

    def observe(self, observation: Observation, now: int) -> float:
        self.observed.append(observation)
        return self.lease

    def lose(self, lost: LostUnits) -> None:
        self.lost.append(lost)

    def label(self, label: Label) -> None:
        self.labels.append(label)


def gateway(world: Planted, heard: Heard, scenario: Scenario = PLAIN, number: int = 0) -> Gateway:
    return Gateway(number, scenario, cast(World, world), cast(ControlPlane, heard))


def play(gateway: Gateway, until: int, since: int = 0, share: float = 1.0) -> None:
    """As a trial does: serve a second if alive, then come up again, then send."""
    for at in range(since, until):
        if gateway.alive(at):
            gateway.serve(at, share)
        gateway.reboot(at + 1)
        if gateway.alive(at + 1):
            gateway.send(at + 1)


def seen(observation: Observation) -> GenerationSecond:
    [cell] = observation.generations
    return cell


# --- counts -----------------------------------------------------------------------------------------------------------


def test_the_canary_gets_its_weight_only_once_an_answer_has_given_a_lease() -> None:
    world, heard = Planted(), Heard()
    play(gateway(world, heard), 2, share=0.5)
    assert world.asked == [(0, 0.0, 0.5), (1, 0.1, 0.5)]
    assert [seen(one).applied_weight for one in heard.observed] == [0.0, 0.1]
    assert [one.second for one in heard.observed] == [0, 1]


def test_a_lease_ends_when_no_answer_renews_it() -> None:
    world, heard = Planted(), Heard()
    cut_off = replace(PLAIN, outages=(Outage(2, 99),))
    play(gateway(world, heard, cut_off), 20)
    # the last answer came at second 1
    assert [weight for _, weight, _ in world.asked] == [0.0] + [0.1] * 16 + [0.0] * 3
    assert len(heard.observed) == 1


def test_an_answer_without_a_lease_gives_none_and_takes_none() -> None:
    world, heard = Planted(), Heard(lease=0.0)
    played = gateway(world, heard)
    play(played, 3)
    assert [weight for _, weight, _ in world.asked] == [0.0] * 3
    heard.lease = 0.5
    play(played, 5, since=3)
    heard.lease = 0.0
    play(played, 8, since=5)
    # the answer at second 5 was the last one that gave a lease, of half a second
    assert [weight for _, weight, _ in world.asked[3:]] == [0.0, 0.1, 0.1, 0.0, 0.0]


def test_a_running_lease_outlasts_an_answer_that_does_not_renew_it() -> None:
    world, heard = Planted(), Heard(lease=3.0)
    played = gateway(world, heard)
    play(played, 1)
    heard.lease = 0.0
    play(played, 7, since=1)
    assert [weight for _, weight, _ in world.asked] == [0.0, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0]


def test_an_outage_of_another_gateway_is_none_of_this_one() -> None:
    heard = Heard()
    play(gateway(Planted(), heard, replace(PLAIN, outages=(Outage(0, 99, gateway=1),))), 3)
    assert [one.second for one in heard.observed] == [0, 1, 2]


def test_a_router_that_lies_reports_the_weight_that_it_was_told() -> None:
    world, heard = Planted(), Heard()
    play(gateway(world, heard, replace(PLAIN, true_weight=2.0)), 2)
    assert (world.asked[1][1], seen(heard.observed[1]).applied_weight) == (0.2, 0.1)


def test_a_canary_that_cannot_be_loaded_gets_nothing() -> None:
    world, heard = Planted(), Heard()
    play(gateway(world, heard, replace(PLAIN, canary_loads=False)), 3)
    assert [weight for _, weight, _ in world.asked] == [0.0] * 3


def test_a_generation_is_in_force_as_late_as_its_gateway_puts_it_there() -> None:
    heard = Heard(desired=[Desired(1, 0, 0.1, 0), Desired(2, 1, 0.5, 1)])
    play(gateway(Planted(), heard, replace(PLAIN, lags=(0, 2)), number=1), 5)
    assert [seen(one).generation for one in heard.observed] == [1, 1, 1, 2, 2]


def test_units_are_counted_by_arm_with_what_failed_and_what_hangs() -> None:
    arms = (
        ArmSecond(unlabelled=1, right=2, wrong=3, failed=4, hanging=5, abandoned=2),
        ArmSecond(unlabelled=2, right=1, wrong=0, failed=2, hanging=0, abandoned=1),
    )
    heard = Heard()
    served = gateway(Planted({1: arms}), heard)
    play(served, 6)
    cell = seen(heard.observed[1])
    assert (cell.stable, cell.canary) == (
        ArmCounts(units=17, error=9, abandoned=2),
        ArmCounts(units=6, error=2, abandoned=1),
    )
    # two units of the canary a second, and six in one; a quarter of its answers is wrong
    assert served.served.units == 5 * 2 + 6
    assert served.served.bad == pytest.approx(2 + 0.25 * (5 * 2 + 3))


def test_a_second_is_sent_once_all_of_its_units_have_ended_and_those_behind_it_wait() -> None:
    heard = Heard()
    hanging = gateway(Planted({1: (ArmSecond(right=1), ArmSecond(hanging=1))}), heard)
    play(hanging, 5)
    assert [one.second for one in heard.observed] == [0]
    play(hanging, 6, since=5)
    assert [one.second for one in heard.observed] == [0, 1, 2, 3, 4, 5]


def test_a_gateway_whose_clock_is_ahead_says_so_of_every_second() -> None:
    world, heard = Planted(late=1.5), Heard()
    play(gateway(world, heard, replace(PLAIN, lags=(0, 0), clocks=(0, 7)), number=1), 2)
    assert heard.boots == [(UUID(int=1001), 7, 0)]
    assert [one.second for one in heard.observed] == [7, 8]
    assert {(label.second, label.stored_second) for label in heard.labels} == {(8, 10)}


# --- labels -----------------------------------------------------------------------------------------------------------


def test_a_label_comes_a_second_after_its_answer_or_as_late_as_the_world_says() -> None:
    arms = (ArmSecond(right=4, wrong=3), ArmSecond(right=2, wrong=1))
    world, heard = Planted({1: arms}, late=20.9), Heard()
    play(gateway(world, heard), 2)
    assert heard.labels == [
        Label(1, "stable", True, 1, 22, number=3),
        Label(1, "stable", False, 1, 22, number=4),
        Label(1, "canary", True, 1, 22, number=1),
        Label(1, "canary", False, 1, 22, number=2),
    ]


def test_answers_without_a_canary_beside_them_need_no_label() -> None:
    heard = Heard(lease=0.0)
    play(gateway(Planted({1: (ArmSecond(right=4), ArmSecond())}), heard), 3)
    assert (len(heard.observed), heard.labels) == (3, [])


def test_a_session_s_label_carries_its_key() -> None:
    heard = Heard()
    scenario = replace(PLAIN, clocks=(5,))
    play(gateway(Planted(users=(USER,), session_label=(True, 30.2)), heard, scenario), 2)
    assert heard.labels == [Label(1, "canary", True, 6, 37, USER.key_hash)]
    unlabelled = Heard()
    play(gateway(Planted(users=(USER,)), unlabelled), 2)
    assert unlabelled.labels == []


def test_sessions_are_sent_one_by_one_and_those_of_the_canary_are_served() -> None:
    users = (
        USER,
        SessionUnit(key_hash="b" * 32, arm="canary", end="error"),
        SessionUnit(key_hash="c" * 32, arm="stable", end="error"),
    )
    heard = Heard()
    served = gateway(Planted(users=users), heard)
    play(served, 2)
    cell = seen(heard.observed[1])
    assert (cell.sessions, cell.stable.units, cell.canary.units) == (users, 0, 0)
    assert (served.served.units, served.served.bad) == (4, 2)


# --- the end of a boot ------------------------------------------------------------------------------------------------

HANGS = {
    1: (ArmSecond(right=8, hanging=2), ArmSecond(right=3, failed=1, hanging=1)),
    2: (ArmSecond(right=8), ArmSecond(right=4)),
    3: (ArmSecond(right=5, failed=1), ArmSecond(right=2, hanging=1)),
}
FIRST_LIFE, SECOND_LIFE = UUID(int=1), UUID(int=2)


def counts(units: int, error: int, abandoned: int = 0) -> ArmCounts:
    return ArmCounts(units=units, error=error, abandoned=abandoned)


def test_what_a_gateway_had_not_sealed_when_it_died_is_told_by_its_next_life() -> None:
    world, heard = Planted(HANGS), Heard()
    play(gateway(world, heard, replace(PLAIN, deaths=((0, 3), (1, 1)))), 12)
    assert [one.boot for one in heard.lost] == [FIRST_LIFE]
    first, second, died = heard.lost[0].seconds
    # what hangs is an error by now; all else ended as it did, also in the second that only waited for the one before it
    assert (first.second, seen(first).stable, seen(first).canary) == (1, counts(10, 2), counts(5, 2))
    assert (second.second, seen(second).stable, seen(second).canary) == (2, counts(8, 0), counts(4, 0))
    assert [one.unfinished for one in (first, second, died)] == [True, False, True]
    assert [seen(one).applied_weight for one in (first, second, died)] == [0.1] * 3
    assert {one.boot for one in heard.lost[0].seconds} == {FIRST_LIFE}
    assert [one.second for one in heard.observed if one.boot == FIRST_LIFE] == [0]


def test_what_a_gateway_had_sealed_and_could_not_send_is_told_by_its_next_life_as_it_was() -> None:
    heard = Heard()
    cut_off = replace(PLAIN, outages=(Outage(2, 8),), deaths=((0, 5),))
    play(gateway(Planted({3: (ArmSecond(right=7), ArmSecond(failed=1))}), heard, cut_off), 14)
    told = [one for one in heard.observed if one.boot == FIRST_LIFE]
    assert [one.second for one in told] == [0, 1, 2, 3, 4]
    assert (seen(told[3]).stable, seen(told[3]).canary) == (counts(7, 0), counts(1, 1))
    assert [one.second for one in heard.lost[0].seconds] == [5]
    assert [one.boot for one in heard.observed] == [FIRST_LIFE] * 5 + [SECOND_LIFE] * (len(heard.observed) - 5)


def test_requests_of_the_last_moment_die_with_their_gateway() -> None:
    world, heard = Planted(HANGS), Heard()
    play(gateway(world, heard, replace(PLAIN, deaths=((0, 3),), clocks=(7,))), 12, share=0.5)
    died = heard.lost[0].seconds[-1]
    assert (3, 0.1, 0.5 * LATENCY_SECONDS) in world.asked
    # the planted second, and once more: 6 units of the stable version, 3 of the canary, and no request did it
    assert (died.second, seen(died).stable, seen(died).canary) == (10, counts(6 + 6, 1 + 6), counts(3 + 3, 1 + 3))
    assert (died.boot, seen(died).generation) == (FIRST_LIFE, 1)


def test_what_was_abandoned_in_the_last_moment_stays_so() -> None:
    left = (ArmSecond(right=4, abandoned=3), ArmSecond(right=1, abandoned=2))
    heard = Heard()
    play(gateway(Planted({3: left}), heard, replace(PLAIN, deaths=((0, 3),))), 12)
    died = seen(heard.lost[0].seconds[-1])
    assert (died.stable, died.canary) == (counts(7 + 7, 7, 3), counts(3 + 3, 3, 2))


def test_a_canary_request_that_kills_its_gateway_is_among_the_lost() -> None:
    world, heard = Planted({1: (ArmSecond(right=1), ArmSecond(right=2))}, drawn=0.26), Heard()
    play(gateway(world, heard, replace(PLAIN, kill=0.5)), 12)  # two of the canary: killed above 0.5² = 0.25
    assert heard.lost[0].seconds[-1].second == 0, "the quiet second before has two canary units too"
    assert seen(heard.lost[0].seconds[-1]).canary == counts(2 + 2 + 1, 2 + 1)


def test_few_canary_requests_kill_less_often() -> None:
    world, heard = Planted({at: (ArmSecond(right=1), ArmSecond(right=1)) for at in range(9)}, drawn=0.26), Heard()
    play(gateway(world, heard, replace(PLAIN, kill=0.5)), 9)
    assert heard.lost == []


@pytest.mark.parametrize(("canary", "dies"), [(1, False), (2, True)])
def test_every_session_on_the_canary_may_kill_whether_it_failed_or_not(canary: int, dies: bool) -> None:
    users = (
        *(
            SessionUnit(key_hash=f"{number:032x}", arm="canary", end="error" if number == 0 else "ok")
            for number in range(canary)
        ),
        SessionUnit(key_hash="f" * 32, arm="stable", end="error"),
    )
    heard = Heard()
    play(gateway(Planted(users=users, drawn=0.26), heard, replace(PLAIN, kill=0.5)), 9)
    assert bool(heard.lost) == dies


def test_a_dead_gateway_serves_nothing_until_it_is_up_again_under_another_id_and_without_a_lease() -> None:
    world, heard = Planted(), Heard()
    served = gateway(world, heard, replace(PLAIN, deaths=((0, 3),)))
    play(served, 11)
    assert RESTART_SECONDS == 5
    assert [at for at, _, share in world.asked if share == 1.0] == [0, 1, 2, 3, 9, 10]
    assert heard.boots == [(FIRST_LIFE, 0, 0), (SECOND_LIFE, 9, 9)]
    assert [(one.boot, one.second) for one in heard.observed[-2:]] == [(SECOND_LIFE, 9), (SECOND_LIFE, 10)]
    assert [seen(one).applied_weight for one in heard.observed[-2:]] == [0.0, 0.1]
