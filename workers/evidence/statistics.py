"""The one Wilson interval of the workers."""

import math
from dataclasses import dataclass

from schemas.evidence import Interval

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""


def wilson(successes: int, n: int) -> Interval:
    """A proportion with its 95 % score interval (Wilson, JASA 22, 1927); of no trials: 0 within [0, 1]."""
    if n == 0:
        return Interval(value=0.0, low=0.0, high=1.0, n=0)
    p = successes / n
    center = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    # At 0 and n the formula meets the bound exactly, but for rounding.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return Interval(value=p, low=low, high=high, n=n)


@dataclass(frozen=True)
class Counts:
    """Rows on which something happened to both of two, to one of them, or to neither."""

    both: int
    only_this: int
    only_other: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.only_this + self.only_other + self.neither


def paired_difference(counts: Counts) -> tuple[float, float, float]:
    """(difference, low, high) of two proportions that share their rows: 95 %, of no rows 0 within [-1, 1].

    The square-and-add interval that allows for their correlation (Newcombe, Statistics in Medicine 17, 1998, method
    10): unlike a normal interval it is not empty where the two never differ.
    """
    n = counts.n
    if n == 0:
        return 0.0, -1.0, 1.0
    this, other = wilson(counts.both + counts.only_this, n), wilson(counts.both + counts.only_other, n)
    difference, phi = (counts.only_this - counts.only_other) / n, _correlation(counts)
    down = _side(this.value - this.low, other.high - other.value, phi)
    up = _side(this.high - this.value, other.value - other.low, phi)
    return difference, max(-1.0, difference - down), min(1.0, difference + up)


def _side(mine: float, theirs: float, phi: float) -> float:
    return math.sqrt(max(0.0, mine**2 - 2 * phi * mine * theirs + theirs**2))


def _correlation(counts: Counts) -> float:
    """The phi coefficient of a row's two outcomes, with Newcombe's correction for continuity where it is positive."""
    a, b, c, d = counts.both, counts.only_this, counts.only_other, counts.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    product = a * d - b * c
    corrected = max(product - counts.n / 2, 0.0) if product > 0 else product
    return corrected / math.sqrt(margins)
