"""The two e-processes: against values computed by hand in 40 digits, and against the promise that they keep."""

from math import comb, exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.analysis.eprocess import (
    ODDS_RATIOS,
    Counts,
    Forecast,
    harm_factors,
    harm_log_e,
    safe_factor,
)

RATES = (1e-6, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9)
ARMS = ((1, 1), (5, 1), (1, 5), (9, 2), (6, 6))


def expectation(stable_units: int, canary_units: int, stable_rate: float, canary_rate: float, e_value) -> float:
    """Over every outcome of one block."""
    total = 0.0
    for stable in range(stable_units + 1):
        for canary in range(canary_units + 1):
            chance = binomial(stable, stable_units, stable_rate) * binomial(canary, canary_units, canary_rate)
            total += chance * exp(e_value(Counts(stable_units, stable, canary_units, canary)))
    return total


def binomial(events: int, units: int, rate: float) -> float:
    return comb(units, events) * rate**events * (1 - rate) ** (units - events)


def test_harm_of_one_small_block_is_the_hand_computed_value():
    block = Counts(stable_units=2, stable_events=0, canary_units=1, canary_events=1)
    by_hand = (
        1.155000846801067605389286776994,
        1.290146764798502650725166409734,
        1.515908131895709912555561631681,
        1.849853887839120272259000499411,
        2.269455953053456445395681777213,
        2.774472167777146094805577904285,
    )
    factors = harm_factors(block, 0.1)
    assert [exp(factor) for factor in factors] == pytest.approx(by_hand, rel=1e-13)
    assert harm_log_e(factors) == pytest.approx(0.5928513871609238, rel=1e-13)


def test_harm_keeps_its_digits_where_events_are_rare_and_arms_uneven():
    """A hundred thousand times as many canary units, and one event in a million: by hand in 60 digits."""
    by_hand = (
        0.0000199998238015645993115278695668623223661922937137149456565236,
        0.0000333330661133139319494512450044565448070174561193323077413526,
        0.0000499996487526783115955462216898067013070583994249392303274095,
        0.0000666662644473782481913022925996143127177284098065612019714141,
        0.0000799995808030792290437356667711298200032872391768895248844064,
        0.0000899995819532036153606543956545619839813732323583299412317331,
    )
    assert harm_factors(Counts(10, 0, 1_000_000, 10), 1e-6) == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize(
    ("canary_events", "by_hand"), [(0, 1.046197060473505173612271), (1, 0.572913816054372516389264)]
)
def test_safe_of_one_small_block_is_the_hand_computed_value(canary_events: int, by_hand: float):
    """With one unit on each arm and t = d = 0.1, a solves -2a³ + 1.9a² + 0.01a - 0.009 = 0: 0.0686755852…"""
    factor = safe_factor(Counts(1, 0, 1, canary_events), 0.1, 0.1)
    assert exp(factor) == pytest.approx(by_hand, rel=1e-12)


def test_the_mean_is_over_e_not_over_its_logs():
    assert harm_log_e([0.0, 0.0, 0.0, 0.0, 0.0, log(7)]) == pytest.approx(log(2))
    assert harm_log_e([-2000.0] * 6) == pytest.approx(-2000)


def test_the_forecast_starts_at_its_prior_and_forgets_a_tenth_per_block():
    first = Forecast()
    assert first.rate((0.2, 10.0)) == pytest.approx(0.2 / 10.2)
    second = first.after(Counts(90, 3, 10, 1), 0.9).after(Counts(50, 0, 50, 2), 0.9)
    assert second == pytest.approx((0.9 * 4 + 2, 0.9 * 100 + 100))
    assert second.rate((0.2, 10.0)) == pytest.approx(5.8 / 200.2)


def test_harm_is_bet_on_forecasts_between_a_millionth_and_nine_in_ten():
    block, low, high = Counts(100, 3, 50, 2), 1e-6, 0.9
    assert harm_factors(block, 0.0) == harm_factors(block, low) != harm_factors(block, 1.1 * low)
    assert harm_factors(block, 1.0) == harm_factors(block, high) != harm_factors(block, high - 0.001)


def test_safe_is_bet_on_forecasts_that_leave_room_for_the_margin():
    block, margin = Counts(100, 3, 50, 2), 0.05
    low, high = 1e-5, 1 - margin - 1e-3

    def bet(forecast: float) -> float:
        return safe_factor(block, forecast, margin)

    assert bet(0.0) == bet(low) != bet(1.1 * low)
    assert bet(1.0) == bet(high) != bet(high - 0.0001)


@pytest.mark.parametrize("forecast", RATES)
@pytest.mark.parametrize(("stable", "canary"), ARMS)
def test_harm_expects_at_most_one_at_equal_rates_whatever_was_forecast(stable: int, canary: int, forecast: float):
    for rate in (0.0, 0.003, 0.05, 0.2, 0.5, 0.95, 1.0):
        for index in range(len(ODDS_RATIOS)):
            expected = expectation(
                stable, canary, rate, rate, lambda block, index=index: harm_factors(block, forecast)[index]
            )
            assert expected <= 1 + 1e-9


@pytest.mark.parametrize("forecast", RATES)
@pytest.mark.parametrize(("stable", "canary"), ARMS)
@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2])
def test_safe_expects_at_most_one_at_the_margin_whatever_was_forecast(
    stable: int, canary: int, forecast: float, margin: float
):
    for rate in (0.0, 0.003, 0.05, 0.2, 0.5, 1 - margin):
        expected = expectation(stable, canary, rate, rate + margin, lambda block: safe_factor(block, forecast, margin))
        assert expected <= 1 + 1e-9


def test_a_canary_better_than_stable_lowers_what_harm_expects():
    def expected(canary_rate: float) -> float:
        return expectation(8, 4, 0.1, canary_rate, lambda block: harm_log_e(harm_factors(block, 0.1)))

    assert expected(0.02) < expected(0.05) < expected(0.1) <= 1 + 1e-9 < expected(0.3)


blocks = st.builds(
    lambda ns, nc, ys, yc: Counts(ns, min(ys, ns), nc, min(yc, nc - 1)),
    st.integers(1, 500),
    st.integers(1, 500),
    st.integers(0, 500),
    st.integers(0, 500),
)


@given(block=blocks, forecast=st.floats(0, 1))
def test_one_more_bad_canary_unit_raises_harm_and_lowers_safe(block: Counts, forecast: float):
    worse = block._replace(canary_events=block.canary_events + 1)
    assert harm_log_e(harm_factors(worse, forecast)) > harm_log_e(harm_factors(block, forecast))
    assert safe_factor(worse, forecast, 0.05) < safe_factor(block, forecast, 0.05)


@given(block=blocks, forecast=st.floats(0, 1), margin=st.floats(1e-6, 0.49))
def test_no_counts_make_an_e_value_that_is_not_a_number(block: Counts, forecast: float, margin: float):
    values = (*harm_factors(block, forecast), safe_factor(block, forecast, margin))
    assert all(abs(value) < 1e7 for value in values)
