"""The Wilson interval against published values, and its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.evaluate.metrics import macro_f1, per_class
from workers.runtime.statistics import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_newcombes_table(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_value_and_mirrors(case: tuple[int, int]) -> None:
    successes, n = case
    interval, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


def test_no_trials_say_nothing() -> None:
    assert wilson(0, 0).model_dump() == {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}


def test_a_label_without_rows_does_not_pull_the_mean_down() -> None:
    scores = per_class(["a", "b"], ["a", "b"], ["a", "b", "c"])
    assert scores["c"].model_dump() == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert macro_f1(scores) == 1.0
