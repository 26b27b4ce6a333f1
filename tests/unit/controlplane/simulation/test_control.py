"""The imagined control plane, played by hand: which seconds are folded, and what silence and its end lead to."""

from uuid import UUID

import pytest

from controlplane.simulation.control import ControlPlane, Desired, End
from schemas.rollouts import CanaryPolicy
from schemas.serving import ArmCounts, GenerationSecond, LostSecond, LostUnits, Observation
from tests.unit.controlplane.analysis.traffic import cell, observed

POLICY = CanaryPolicy(
    steps=(0.1, 0.5),
    step_seconds=1,
    step_units=1,
    boot_silence_seconds=15,
    provider_silence_seconds=60,
    invalid_grace_seconds=300,
)
STANDING = POLICY.model_copy(update={"step_seconds": 1e6})
"""Its ladder never climbs."""
ONE, OTHER = UUID(int=1), UUID(int=2)
FIRST = Desired(generation=1, step=0, weight=0.1, since=0)


def begun(*boots: UUID, policy: CanaryPolicy = POLICY) -> ControlPlane:
    control = ControlPlane(policy, fold_seconds=1)
    for boot in boots:
        control.register(boot, 0, 0)
    return control


def second(at: int, boot: UUID, generation: int = 1, weight: float = 0.1) -> Observation:
    """Nine healthy units of the stable version and one of the canary."""
    return observed(at, cell(generation, weight, stable=(9, 0), canary=(1, 0)), boot=boot.int)


def units(control: ControlPlane) -> list[tuple[int, int]]:
    return [(entry.stable_units, entry.canary_units) for entry in control.state.generations]


def test_the_fold_waits_for_the_slowest_boot_that_speaks() -> None:
    control = begun(ONE, OTHER, policy=STANDING)
    for at in range(3):
        control.observe(second(at, ONE), now=at + 1)
    control.observe(second(0, OTHER), now=1)
    control.turn(3)
    assert (control.state.horizon, units(control)) == (0, [(18, 2)])


def test_a_boot_that_has_said_nothing_yet_is_waited_for_up_to_its_first_second() -> None:
    control = begun(ONE, policy=STANDING)
    for at in range(9):
        control.observe(second(at, ONE), now=at + 1)
    control.register(OTHER, 5, 5)
    control.turn(9)
    assert control.state.horizon == 4


def test_a_boot_is_waited_for_until_it_was_silent_for_as_long_as_the_policy_says() -> None:
    control = begun(ONE, OTHER, policy=STANDING)
    control.observe(second(0, OTHER), now=1)
    for at in range(16):
        control.observe(second(at, ONE), now=at + 1)
        control.turn(at + 1)
        assert control.state.horizon == (0 if at < 15 else 15)


def test_one_second_is_enough_to_be_heard() -> None:
    control = begun(ONE)
    control.observe(second(0, ONE), now=30)
    control.turn(89)
    assert not control.invalid_once
    control.turn(90)
    assert control.invalid_once


def test_only_a_canary_with_weight_and_a_second_that_counts_renew_the_lease() -> None:
    control = begun(ONE)
    assert control.observe(second(0, ONE), now=1) == POLICY.lease_seconds
    control.turn(1)
    for refused in (10, 20):
        assert control.observe(second(0, ONE), now=2) == 0.0
        assert control.late_units == refused, "the fold had passed their second"
    control.desired.append(Desired(2, 0, 0.0, 2))
    assert control.observe(second(1, ONE), now=2) == 0.0


# --- lost units -------------------------------------------------------------------------------------------------------


def lost(at: int, weight: float = 0.1, generation: int = 1, unfinished: bool = True) -> LostUnits:
    """One failed canary unit of boot ONE; it never ended, or ended so."""
    nobody, open_one = ArmCounts(units=0), ArmCounts(units=1, error=1)
    seen = GenerationSecond(generation=generation, applied_weight=weight, stable=nobody, canary=open_one)
    told = LostSecond(boot=ONE, second=at, generations=(seen,), unfinished=unfinished)
    return LostUnits(boot=ONE, seconds=(told,))


def after_ten_seconds() -> ControlPlane:
    """Both boots are folded up to second 9."""
    control = begun(ONE, OTHER, policy=STANDING)
    for at in range(10):
        for boot in (ONE, OTHER):
            control.observe(second(at, boot), now=at + 1)
    control.turn(10)
    assert (control.state.horizon, units(control)) == (9, [(180, 20)])
    return control


@pytest.mark.parametrize("at", [10, 29, 30])
def test_an_error_that_comes_late_counts_in_the_first_second_that_is_not_folded(at: int) -> None:
    control = after_ten_seconds()
    for silent in range(10, 30):  # the fold waits no longer for the first boot
        control.observe(second(silent, OTHER), now=silent + 1)
    control.turn(30)
    assert (control.state.horizon, units(control)) == (29, [(360, 40)])
    control.lose(lost(at))
    control.observe(second(30, OTHER), now=31)
    control.turn(31)
    assert (control.state.horizon, units(control)) == (30, [(369, 42)])


@pytest.mark.parametrize("at", [0, 8, 9])
def test_a_second_that_its_boot_has_told_is_not_told_again(at: int) -> None:
    control = after_ten_seconds()
    control.lose(lost(at))
    control.observe(second(10, OTHER), now=11)
    control.turn(11)
    assert (control.state.horizon, units(control), control.state.lost_boots) == (10, [(189, 21)], ())


def test_an_error_of_a_second_that_is_not_folded_yet_stays_in_it() -> None:
    control = after_ten_seconds()
    control.lose(lost(12))
    for at, canary in ((10, 21), (11, 22), (12, 24)):
        control.observe(second(at, OTHER), now=at + 1)
        control.turn(at + 1)
        assert units(control)[0][1] == canary


def test_a_boot_that_is_ahead_of_the_fold_has_told_its_seconds_too() -> None:
    """The fold waits for another."""
    control = begun(ONE, OTHER, policy=STANDING)
    control.observe(second(0, ONE), now=1)
    control.observe(second(1, ONE), now=2)
    control.lose(lost(0))
    for at, canary in ((0, 2), (1, 4), (2, 5)):
        control.observe(second(at, OTHER), now=at + 1)
        control.turn(at + 1)
        assert units(control)[0][1] == canary


@pytest.mark.parametrize(
    ("generation", "weight", "unfinished", "told"),
    [(1, 0.1, True, (str(ONE),)), (1, 0.1, False, ()), (1, 0.0, True, ()), (99, 0.1, True, ()), (99, 0.0, True, ())],
)
def test_a_boot_is_lost_under_the_canary_only_where_it_applied_a_weight_of_this_rollout(
    generation: int, weight: float, unfinished: bool, told: tuple[str, ...]
) -> None:
    control = after_ten_seconds()
    control.lose(lost(10, weight, generation, unfinished))
    control.observe(second(10, OTHER), now=11)
    control.turn(11)
    assert control.state.lost_boots == told


# --- what the evidence leads to ---------------------------------------------------------------------------------------


def climbed(until: int) -> ControlPlane:
    """At second 1 both arms have their units, and the canary is given its second step."""
    control = begun(ONE)
    for at in range(until):
        late = control.desired[-1]
        control.observe(second(at, ONE, late.generation, late.weight), now=at + 1)
        control.turn(at + 1)
    return control


def test_a_filled_step_leads_to_the_next_one() -> None:
    assert climbed(1).desired == [FIRST, Desired(generation=2, step=1, weight=0.5, since=1)]


def test_silence_makes_the_rollout_invalid_and_takes_the_weight_once_its_grace_is_spent() -> None:
    control = climbed(2)
    control.turn(61)
    assert not control.invalid_once
    control.turn(62)
    assert control.invalid_once
    control.turn(361)
    assert control.desired[-1].weight == 0.5
    control.turn(362)
    assert control.desired[2:] == [Desired(generation=3, step=1, weight=0.0, since=362)]
    control.turn(900)
    assert len(control.desired) == 3, "nothing is withdrawn twice"
    assert control.end is None


def test_the_canary_gets_its_step_s_weight_again_once_a_gateway_speaks() -> None:
    control = climbed(2)
    for now in (62, 362):
        control.turn(now)
    control.observe(second(399, ONE, 3, 0.0), now=400)
    control.turn(400)
    assert control.desired[3:] == [Desired(generation=4, step=1, weight=0.5, since=400)]


def test_a_canary_that_gets_weight_again_is_in_the_step_that_it_was_in() -> None:
    control = ControlPlane(POLICY.model_copy(update={"steps": (0.1, 0.25, 0.5)}), fold_seconds=1)
    control.register(ONE, 0, 0)
    for at in range(3):
        late = control.desired[-1]
        control.observe(second(at, ONE, late.generation, late.weight), now=at + 1)
        control.turn(at + 1)
    for now in (63, 363):
        control.turn(now)
    control.observe(second(399, ONE, 4, 0.0), now=400)
    control.turn(400)
    assert [(entry.step, entry.weight) for entry in control.desired] == [
        (0, 0.1),
        (1, 0.25),
        (2, 0.5),
        (2, 0.0),
        (2, 0.5),
    ]


def test_a_silence_within_its_grace_changes_no_weight_and_its_end_lets_the_ladder_climb_again() -> None:
    control = begun(ONE)
    control.turn(60)
    assert (control.invalid_once, control.desired) == (True, [FIRST])
    control.observe(second(99, ONE), now=100)
    control.turn(100)
    assert control.desired == [FIRST]
    control.observe(second(100, ONE), now=101)
    control.turn(101)
    assert control.desired[1:] == [Desired(generation=2, step=1, weight=0.5, since=101)]


def test_each_silence_has_its_own_grace() -> None:
    control = begun(ONE)
    control.turn(60)
    control.observe(second(99, ONE), now=100)
    control.turn(100)
    control.turn(160)
    control.turn(459)
    assert control.desired == [FIRST]
    control.turn(460)
    assert control.desired[1:] == [Desired(generation=2, step=0, weight=0.0, since=460)]


def test_harm_ends_the_rollout_with_its_rule_and_second() -> None:
    control = begun(ONE)
    for at in range(10):
        control.observe(observed(at, cell(1, 0.1, stable=(90, 0), canary=(10, 10))), now=at + 1)
    control.turn(10)
    assert control.end == End("HARM", "harm", 10)


def test_what_makes_it_invalid_for_good_ends_the_rollout_too() -> None:
    control = begun(ONE)
    for at in range(10):
        control.observe(observed(at, cell(1, 0.1, stable=(200, 0))), now=at + 1)
    control.turn(10)
    assert control.end == End("INVALID", "sample_ratio", 10)
    assert not control.invalid_once
