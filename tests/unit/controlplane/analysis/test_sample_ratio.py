"""The sample ratio's Bayes factor: by hand, and as the martingale that it claims to be."""

from math import exp, log

import pytest

from controlplane.domain.analysis.sample_ratio import log_bayes_factor


def test_it_is_the_product_of_the_predictive_chances_over_the_weight():
    assert exp(log_bayes_factor(1, 1, 0.5)) == pytest.approx((0.5 * 50 / 101) / 0.25)
    assert exp(log_bayes_factor(0, 2, 0.25)) == pytest.approx((25 / 100) * (26 / 101) / 0.25**2)


def test_nothing_seen_says_nothing():
    assert log_bayes_factor(0, 0, 0.05) == 0


@pytest.mark.parametrize(("stable", "canary", "weight"), [(0, 0, 0.05), (40, 3, 0.05), (500, 700, 0.5), (10, 90, 0.25)])
def test_the_next_unit_changes_nothing_on_average_when_the_weight_is_kept(stable: int, canary: int, weight: float):
    now = log_bayes_factor(stable, canary, weight)
    on_canary = exp(log_bayes_factor(stable, canary + 1, weight) - now)
    on_stable = exp(log_bayes_factor(stable + 1, canary, weight) - now)
    assert weight * on_canary + (1 - weight) * on_stable == pytest.approx(1, abs=1e-9)


def test_a_wrong_split_is_found_and_a_right_one_is_not():
    assert log_bayes_factor(9000, 1000, 0.10) < 0
    assert log_bayes_factor(9300, 700, 0.10) > log(1000)
