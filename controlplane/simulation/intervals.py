"""Exact (Clopper-Pearson) 95 % intervals of a share, and quantiles of what was measured."""

from collections.abc import Callable, Sequence
from math import ceil, exp, fsum, lgamma, log, log1p

SIDE = 0.025
BISECTIONS = 50


def interval(events: int, runs: int, side: float = SIDE) -> tuple[float, float]:
    """Two-sided: each end leaves a chance of at most `side`."""
    low = 0.0 if events == 0 else _bisect(lambda rate: 1 - _at_most(events - 1, runs, rate) < side)
    high = 1.0 if events == runs else _bisect(lambda rate: _at_most(events, runs, rate) > side)
    return low, high


def upper_limit(events: int, runs: int) -> float:
    """One-sided 95 %: the rate at which so few events have a chance of 5 %."""
    return interval(events, runs, side=0.05)[1]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of them."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _bisect(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _at_most(events: int, runs: int, rate: float) -> float:
    """The chance of so many or fewer."""
    yes, no = log(rate), log1p(-rate)
    whole = lgamma(runs + 1)
    return fsum(
        exp(whole - lgamma(seen + 1) - lgamma(runs - seen + 1) + seen * yes + (runs - seen) * no)
        for seen in range(events + 1)
    )
