"""The Wilson interval against published values, and its properties."""

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.evidence import Measurement
from workers.evaluate.metrics import f1, macro_f1, scores
from workers.evidence.statistics import Counts, paired_difference, wilson

PER_LABEL = ("recall", "precision", "f1")


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


def measured(*rows: Any, labels: str = "abc", other: list[bool] | None = None) -> dict[str, Measurement]:
    return {one.subject: one for one in scores(*map(list, rows), list(labels), other)}


@pytest.mark.parametrize("predicted", [["a"], ["a", "b", "a"]])
def test_answers_that_are_not_one_a_row_are_no_scores(predicted: list[str]) -> None:
    with pytest.raises(ValueError, match="zip"):
        scores(["a", "b"], predicted, ["a", "b"])
    with pytest.raises(ValueError, match="zip"):
        scores(["a", "b"], ["a", "b"], ["a", "b"], [True])


def test_scores_are_of_hits_guesses_and_rows() -> None:
    found = measured("aaab", "aabb")
    assert {name: (one.value, one.n) for name, one in found.items()} == {
        "accuracy": (0.75, 4),
        "macro_f1": ((0.8 + 2 / 3) / 2, 4),
        "recall of a": (2 / 3, 3), "precision of a": (1.0, 2), "f1 of a": (pytest.approx(0.8), 3),
        "recall of b": (1.0, 1), "precision of b": (0.5, 2), "f1 of b": (2 / 3, 2),
        "recall of c": (0.0, 0), "precision of c": (0.0, 0), "f1 of c": (0.0, 0),
    }  # fmt: skip
    assert measured("", "")["accuracy"].n == 0
    assert macro_f1([], 0).model_dump() == {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}


def test_shares_have_the_wilson_interval() -> None:
    found = measured("aaab", "aabb")
    for name, successes, n in (("accuracy", 3, 4), ("recall of a", 2, 3), ("precision of a", 2, 2)):
        expected = wilson(successes, n)
        assert (found[name].low, found[name].high) == (expected.low, expected.high)
    assert all(one.paired is None for one in found.values())


def test_another_version_is_compared_on_all_rows_and_on_those_of_each_label() -> None:
    found = measured("aaab", "aabb", other=[True, False, True, False])
    tables = {
        name: (one.paired.both, one.paired.only_this, one.paired.only_other, one.paired.neither)
        for name, one in found.items()
        if one.paired is not None
    }
    assert tables == {
        "accuracy": (1, 2, 1, 0),
        "recall of a": (1, 1, 1, 0),
        "recall of b": (0, 1, 0, 0),
        "recall of c": (0, 0, 0, 0),
    }


def test_a_label_without_rows_does_not_pull_the_mean_down() -> None:
    found = measured("ab", "ab")
    assert [found[f"{metric} of c"].model_dump(include={"value", "low", "high", "n"}) for metric in PER_LABEL] == [
        {"value": 0.0, "low": 0.0, "high": 1.0, "n": 0}
    ] * 3
    assert found["macro_f1"].value == 1.0
    assert found["macro_f1"].low == pytest.approx(found["f1 of a"].low)


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    hits, guessed, support = 30, 50, 40
    precision, recall = hits / guessed, hits / support
    assert f1(hits, guessed, support).value == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize(
    ("confusion", "n"),
    [
        ([[0.45, 0.05], [0.05, 0.45]], 40),
        ([[0.88, 0.02], [0.06, 0.04]], 200),
        ([[0.3, 0.02, 0.01], [0.02, 0.3, 0.02], [0.03, 0.02, 0.28]], 60),
    ],
    ids=["two labels", "a rare one", "three labels"],
)
def test_the_intervals_of_f1_and_macro_f1_cover_what_is_true(confusion: list[list[float]], n: int) -> None:
    """95 % of 1,000 drawn evaluations; 93 % is three standard errors below that."""
    labels = range(len(confusion))
    true_f1s = [
        2 * confusion[one][one] / sum(confusion[one][other] + confusion[other][one] for other in labels)
        for one in labels
    ]
    cells = [(row, column) for row in labels for column in labels]
    draw, covered = random.Random(7), Counter[str]()
    for _ in range(1000):
        drawn = Counter(draw.choices(cells, [confusion[row][column] for row, column in cells], k=n))
        support = [sum(drawn[one, other] for other in labels) for one in labels]
        guessed = [sum(drawn[other, one] for other in labels) for one in labels]
        found = [f1(drawn[one, one], guessed[one], support[one]) for one in labels]
        macro = macro_f1([found[one] for one in labels if support[one]], n)
        covered["f1"] += found[0].low <= true_f1s[0] <= found[0].high
        covered["macro_f1"] += macro.low <= sum(true_f1s) / len(true_f1s) <= macro.high
    assert min(covered.values()) >= 930


def test_macro_f1_of_right_answers_alone_is_not_known_to_be_one() -> None:
    """A bootstrap would say so."""
    assert measured("ab" * 10, "ab" * 10)["macro_f1"].low < 0.93


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
