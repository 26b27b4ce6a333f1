"""Random counts, fast without numpy: one seeded stream, and a table for every rate that was ever asked for."""

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from math import exp, lgamma, log, log1p, sqrt
from random import Random
from typing import NamedTuple

TAIL = 9.0
"""Standard deviations; what lies beyond has a chance of less than 1e-15."""


class PoissonTable(NamedTuple):
    low: int
    cumulative: tuple[float, ...]


class Draws:
    """The same seed draws the same world."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.uniform = self.random.random

    def poisson(self, rate: float) -> int:
        return self.from_table(poisson_table(rate)) if rate > 0 else 0

    def from_table(self, table: PoissonTable) -> int:
        """By the inverse of the distribution function."""
        return table.low + bisect_right(table.cumulative, self.uniform())

    def binomial(self, number: int, rate: float) -> int:
        """By the geometric gaps between hits: cheap where hits are rare."""
        if rate > 0.5:
            return number - self.binomial(number, 1 - rate)
        if rate <= 0:
            return 0
        hits, position, scale = -1, 0, log1p(-rate)
        while position <= number:
            position += 1 + int(log1p(-self.uniform()) / scale)
            hits += 1
        return hits


@lru_cache(maxsize=2**16)
def poisson_table(rate: float) -> PoissonTable:
    """The cumulative Poisson distribution for a rate above 0, `TAIL` standard deviations to either side."""
    width = TAIL * sqrt(rate) + 10
    low = max(0, int(rate - width))
    chances = [exp(low * log(rate) - rate - lgamma(low + 1))]
    for count in range(low + 1, int(rate + width)):
        chances.append(chances[-1] * rate / count)
    return PoissonTable(low, tuple(accumulate(chances)))
