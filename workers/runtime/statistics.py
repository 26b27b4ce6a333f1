"""The one Wilson interval of the workers."""

import math

from schemas.jobs import Interval

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
