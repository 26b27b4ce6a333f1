"""Counts and intervals against what is known of them exactly."""

from math import exp, factorial, sqrt

import pytest

from controlplane.simulation.draws import Draws, poisson_table
from controlplane.simulation.intervals import interval, quantile, upper_limit


@pytest.mark.parametrize("rate", [0.02, 0.7, 3.0, 40.0, 2500.0])
def test_poisson_counts_have_the_mean_and_the_spread_of_their_rate(rate: float) -> None:
    draws, number = Draws("poisson"), 20_000
    seen = [draws.poisson(rate) for _ in range(number)]
    mean = sum(seen) / number
    spread = sum((value - mean) ** 2 for value in seen) / number
    assert mean == pytest.approx(rate, abs=5 * sqrt(rate / number))
    assert spread == pytest.approx(rate, rel=0.05 + 5 / sqrt(number * min(rate, 1)))


def test_a_poisson_table_is_the_distribution_itself() -> None:
    table = poisson_table(2.5)
    assert table.low == 0
    chances = [exp(-2.5) * 2.5**count / factorial(count) for count in range(9)]
    assert table.cumulative[:9] == pytest.approx([sum(chances[: end + 1]) for end in range(9)])
    assert table.cumulative[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 0.9, 1.0])
def test_binomial_counts_have_the_mean_of_their_rate(rate: float) -> None:
    draws, number = Draws("binomial"), 4000
    seen = [draws.binomial(20, rate) for _ in range(number)]
    assert all(0 <= value <= 20 for value in seen)
    assert sum(seen) / number == pytest.approx(20 * rate, abs=5 * sqrt(20 * rate * (1 - rate) / number) + 1e-9)


def test_the_interval_is_clopper_and_pearson_s() -> None:
    assert interval(0, 100) == pytest.approx((0.0, 0.0362), abs=1e-4)
    assert interval(100, 100) == pytest.approx((0.9638, 1.0), abs=1e-4)
    assert interval(0, 100)[0] == 0.0
    assert interval(100, 100)[1] == 1.0
    assert interval(1, 100)[0] == pytest.approx(1 - 0.975 ** (1 / 100))
    assert interval(8, 200) == pytest.approx((0.0174, 0.0773), abs=1e-4)
    assert upper_limit(0, 100) == pytest.approx(0.0295, abs=1e-4)
    assert upper_limit(2, 150) == pytest.approx(0.0414, abs=1e-4)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert quantile([5, 1, 4, 2, 3], 0.5) == 3
    assert quantile([5, 1, 4, 2, 3], 0.9) == 5
    assert quantile([7], 0.9) == 7
