"""The split is uniform, sticky per salt, and independent between salts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.serving import Generation
from tests.support.builders.models import served_version
from workers.serve.rollout.draw import draw_arm, drawable, fraction_of, hash_key

UNITS = [f"unit-{n}" for n in range(20_000)]


def test_fractions_are_uniform() -> None:
    counts = [0] * 20
    for unit in UNITS:
        counts[int(fraction_of("salt", unit) * 20)] += 1
    expected = len(UNITS) / 20
    chi_squared = sum((count - expected) ** 2 / expected for count in counts)
    assert chi_squared < 43.8  # 19 degrees of freedom, p = 0.001; the units are fixed, so this never flickers


def test_the_split_is_the_same_in_every_gateway_of_any_age() -> None:
    """A unit must not change its arm because its next request meets a gateway of another release."""
    assert fraction_of("salt", "unit-0") == 0.029892281109641483
    assert fraction_of("salt", "ü\ud800") == 0.6506673912732923
    assert fraction_of("ü\ud800", "unit-0") == 0.1328937078853818
    assert hash_key("salt", "unit-0") == "09f711c4c26f1356c903fb0baba51138"
    assert hash_key("salt", "ü\ud800") == "2a525d801bdb73dc9877a211885dbadc"


def test_a_unit_at_the_very_weight_is_stable() -> None:
    assert draw_arm("salt", "unit-0", fraction_of("salt", "unit-0")) == "stable"


def test_two_salts_are_independent() -> None:
    both = sum(fraction_of("step 1", u) < 0.1 and fraction_of("step 2", u) < 0.1 for u in UNITS)
    expected = 0.01 * len(UNITS)
    assert abs(both - expected) < 4 * math.sqrt(expected)


def test_a_unit_keeps_its_arm_under_one_salt_and_may_change_under_another() -> None:
    def arms(salt: str) -> list[str]:
        return [draw_arm(salt, unit, 0.5) for unit in UNITS[:200]]

    assert arms("step 1") == arms("step 1")
    assert arms("step 1") != arms("step 2")


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_more_weight_never_takes_a_unit_off_the_canary(salt: str, unit: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if draw_arm(salt, unit, low) == "canary":
        assert draw_arm(salt, unit, high) == "canary"


@given(st.text(), st.text())
def test_weight_zero_is_all_stable_and_weight_one_all_canary(salt: str, unit: str) -> None:
    assert draw_arm(salt, unit, 0.0) == "stable"
    assert draw_arm(salt, unit, 1.0) == "canary"


@pytest.mark.parametrize(
    ("weight", "numbers"), [(0.0, [1]), (2**-53, [1, 2]), (0.5, [1, 2]), (1 - 2**-53, [1, 2]), (1.0, [2])]
)
def test_what_a_unit_may_get_is_what_some_unit_is_drawn(weight: float, numbers: list[int]) -> None:
    stable, canary = served_version(1), served_version(2)
    both = Generation(deployment="reviews", generation=1, stable=stable, canary=canary, signing_key="")
    assert [version.version for version in drawable(both, weight)] == numbers
    alone = both.model_copy(update={"canary": None})
    assert drawable(alone, weight) == ((stable,) if weight < 1 else ())
    assert drawable(alone.model_copy(update={"stable": None}), weight) == ()


def test_salt_and_unit_do_not_run_together() -> None:
    assert fraction_of("ab", "c") != fraction_of("a", "bc")
    assert fraction_of("a\0b", "c") != fraction_of("a", "b\0c")


@given(st.text(alphabet=st.characters()), st.text(alphabet=st.characters()))
def test_a_key_hash_is_what_the_observation_takes(salt: str, key: str) -> None:
    hashed = hash_key(salt, key)
    assert len(hashed) == 32
    assert set(hashed) <= set("0123456789abcdef")
    assert hash_key(salt + "'", key) != hashed
