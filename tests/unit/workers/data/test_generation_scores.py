"""Scores of texts against values worked out by hand, and intervals against the formulas of proportions."""

import math
import random

import pytest

from workers.evidence.means import Likelihood, mean, paired_mean, paired_perplexity, perplexity
from workers.evidence.statistics import Z95
from workers.tasks.text_generation.scores import chrf, exact_match, is_json, rouge_l, token_f1


@pytest.mark.parametrize(
    ("answer", "expected", "f1", "longest"),
    [
        ("the cat sat", "The cat!", 0.8, 0.8),  # 2 of 3 words, and 2 of 2
        ("a b c d", "a c d b", 1.0, 0.75),  # a c d, of 4 and 4
        ("a a b", "a b b", 2 / 3, 2 / 3),  # one a and one b are shared
        ("b a", "a b", 1.0, 0.5),
        ("no", "yes", 0.0, 0.0),
        ("", "yes", 0.0, 0.0),
        ("…", "!", 1.0, 1.0),  # neither has a word
        ("Straße", "strasse", 1.0, 1.0),
    ],
)
def test_words_that_are_shared(answer: str, expected: str, f1: float, longest: float) -> None:
    assert token_f1(answer, expected) == pytest.approx(f1)
    assert rouge_l(answer, expected) == pytest.approx(longest)


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("abc", "abd", 7 / 18),  # a, b of three; ab of two; none of one: (2/3 + 1/2 + 0) / 3
        ("ab", "abcd", 25 / 53),  # precision 1; recall (2/4 + 1/3) / 2 = 5/12; 5PR / (4P + R)
        ("a b", "ab", 1.0),  # spaces are no characters
        ("aab", "ab", 35 / 40),  # precision (2/3 + 1/2) / 2 = 7/12, recall 1: 5 * 7/12 / (4 * 7/12 + 1) = 35/40
        ("x", "ab", 0.0),
        ("", "ab", 0.0),
    ],
)
def test_characters_that_are_shared(answer: str, expected: str, score: float) -> None:
    assert chrf(answer, expected) == pytest.approx(score)


def test_an_answer_is_exact_but_for_spaces_around_it() -> None:
    assert exact_match(" good\n", "good")
    assert not exact_match("Good", "good")
    assert not exact_match("go od", "good")


@pytest.mark.parametrize(("text", "holds"), [('{"a": 1}', True), ("[NaN]", False), ("{'a': 1}", False), ("", False)])
def test_json_is_what_its_standard_says(text: str, holds: bool) -> None:
    assert is_json(text) is holds


@pytest.mark.parametrize(("hits", "n"), [(30, 40), (0, 40), (40, 40), (1, 3)])
def test_of_shares_the_interval_of_a_mean_is_agrestis_and_coulls(hits: int, n: int) -> None:
    found = mean([1.0] * hits + [0.0] * (n - hits))
    p = (hits + 2) / (n + 4)
    half = Z95 * math.sqrt(p * (1 - p) / (n + 4))
    assert (found.value, found.n) == (hits / n, n)
    assert (found.low, found.high) == pytest.approx((max(0, p - half), min(1, p + half)))


@pytest.mark.parametrize(("both", "mine", "other", "neither"), [(20, 9, 3, 8), (10, 0, 0, 5), (0, 4, 0, 0)])
def test_of_shares_the_interval_of_a_difference_is_agrestis_and_mins(
    both: int, mine: int, other: int, neither: int
) -> None:
    n = both + mine + other + neither
    pairs = [(1.0, 1.0)] * both + [(1.0, 0.0)] * mine + [(0.0, 1.0)] * other + [(0.0, 0.0)] * neither
    found = paired_mean([one for one, _ in pairs], [two for _, two in pairs])
    b, c, more = mine + 0.5, other + 0.5, n + 2
    center, half = (b - c) / more, Z95 * math.sqrt((b + c) - (b - c) ** 2 / more) / more
    assert found.difference == pytest.approx((mine - other) / n)
    assert (found.low, found.high) == pytest.approx((max(-1, center - half), min(1, center + half)))


def test_a_perplexity_is_of_all_tokens_together() -> None:
    even = [Likelihood(math.log(4) * tokens, tokens) for tokens in (1, 5, 9)]
    assert (perplexity(even).value, perplexity(even).low, perplexity(even).high) == pytest.approx((4, 4, 4))
    assert paired_perplexity(even, even).model_dump() == pytest.approx({"n": 3, "difference": 0, "low": 0, "high": 0})
    one = [Likelihood(2.0, 1), Likelihood(1.0, 2)]
    assert perplexity(one).value == pytest.approx(math.e)


def test_a_perplexitys_interval_holds_it_as_often_as_it_says() -> None:
    """Rows of exponential losses with mean 1, and lengths that vary: exp(1) lies in about 95 of 100 intervals."""
    generator, inside, better = random.Random(4), 0, 0
    for _ in range(400):
        lengths = generator.choices((1, 4, 9), k=40)
        rows = [Likelihood(sum(generator.expovariate(1) for _ in range(n)), n) for n in lengths]
        worse = [Likelihood(one.nats + generator.expovariate(5) * one.tokens, one.tokens) for one in rows]
        found = perplexity(rows)
        inside += found.low <= math.e <= found.high
        pair = paired_perplexity(rows, worse)
        better += pair.low <= math.exp(1) - math.exp(1.2) <= pair.high
    assert 360 < inside < 396
    assert 350 < better < 398
