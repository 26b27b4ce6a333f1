"""The Wilson interval against published values, and its properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.evaluate.metrics import accuracy, macro_f1, per_class
from workers.runtime.statistics import Counts, paired_difference, wilson


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


@pytest.mark.parametrize("predicted", [["a"], ["a", "b", "a"]])
def test_answers_that_are_not_one_a_row_are_no_scores(predicted: list[str]) -> None:
    with pytest.raises(ValueError, match="zip"):
        accuracy(["a", "b"], predicted)
    with pytest.raises(ValueError, match="zip"):
        per_class(["a", "b"], predicted, ["a", "b"])


def test_scores_are_of_hits_guesses_and_rows() -> None:
    scores = per_class(list("aaab"), list("aabb"), ["a", "b", "c"])
    assert scores["a"].model_dump() == {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    assert scores["b"].model_dump() == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert macro_f1(scores) == (0.8 + 2 / 3) / 2
    assert macro_f1({}) == 0.0
    assert (accuracy(list("aaab"), list("aabb")).value, accuracy([], []).n) == (0.75, 0)


def test_a_label_without_rows_does_not_pull_the_mean_down() -> None:
    scores = per_class(["a", "b"], ["a", "b"], ["a", "b", "c"])
    assert scores["c"].model_dump() == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert macro_f1(scores) == 1.0


@pytest.mark.parametrize(
    ("agree", "only_this", "only_other"),
    [(0.5, 0.05, 0.05), (0.45, 0.02, 0.08), (0.4, 0.15, 0.05), (0.1, 0.3, 0.3)],
    ids=["equal", "worse", "better", "hardly correlated"],
)
def test_the_paired_interval_covers_what_is_true(agree: float, only_this: float, only_other: float) -> None:
    """By exact enumeration of every table of 24 rows: at least about 95 % of what happens."""
    n, shares = 24, (agree, only_this, only_other, 1 - agree - only_this - only_other)
    truth, covered = only_this - only_other, 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            for c in range(n + 1 - a - b):
                _, low, high = paired_difference(Counts(a, b, c, n - a - b - c))
                if low <= truth <= high:
                    covered += likelihood((a, b, c, n - a - b - c), shares)
    assert 0.94 <= covered < 1


def likelihood(counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    ways = math.factorial(sum(counts)) / math.prod(math.factorial(count) for count in counts)
    return ways * math.prod(share**count for share, count in zip(shares, counts, strict=True))


@given(st.tuples(*[st.integers(0, 400)] * 4).filter(any))
def test_a_paired_interval_holds_its_difference_and_mirrors(table: tuple[int, int, int, int]) -> None:
    both, only_this, only_other, neither = table
    difference, low, high = paired_difference(Counts(*table))
    assert difference == (only_this - only_other) / sum(table)
    assert -1 <= low <= difference <= high <= 1
    mirrored = paired_difference(Counts(both, only_other, only_this, neither))
    assert mirrored == pytest.approx((-difference, -high, -low))


def test_versions_that_never_differ_are_not_known_to_be_equal() -> None:
    assert paired_difference(Counts(0, 0, 0, 0)) == (0.0, -1.0, 1.0)
    _, low, high = paired_difference(Counts(30, 0, 0, 10))
    assert low < -0.005
    assert high > 0.005


def test_sharing_rows_tells_more_than_two_samples_do() -> None:
    shared = paired_difference(Counts(700, 60, 40, 200))
    apart = paired_difference(Counts(563, 197, 177, 63))  # the same shares, uncorrelated
    assert shared[0] == apart[0] == 0.02
    assert shared[2] - shared[1] < 0.65 * (apart[2] - apart[1])
