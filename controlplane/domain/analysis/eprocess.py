"""The two e-processes of a Bernoulli metric and the forecast that both bet from.

F1 is the two-sample e-process of Turner, Ly and Grünwald (https://arxiv.org/abs/2106.02693), F2 its non-inferiority
form (https://arxiv.org/abs/2203.09785). We differ in the forecast: it forgets, so a drifting base rate costs power,
never validity.
"""

from collections.abc import Iterable, Sequence
from math import exp, fsum, log, sqrt
from typing import Final, NamedTuple

ODDS_RATIOS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
BISECTIONS: Final = 60
HIGHEST_RATE: Final = 0.9
"""No metric is forecast to happen more often: such a version is no base to compare with."""


class Counts(NamedTuple):
    """Units and events of both arms."""

    stable_units: int = 0
    stable_events: int = 0
    canary_units: int = 0
    canary_events: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.stable_units + other.stable_units,
            self.stable_events + other.stable_events,
            self.canary_units + other.canary_units,
            self.canary_events + other.canary_events,
        )

    def swapped(self) -> "Counts":
        """The arms exchanged: what was asked of the canary is asked of the stable version."""
        return Counts(self.canary_units, self.canary_events, self.stable_units, self.stable_events)

    @property
    def units(self) -> int:
        return self.stable_units + self.canary_units

    @property
    def both_arms(self) -> bool:
        return self.stable_units > 0 and self.canary_units > 0


def sum_counts(parts: Iterable[Counts]) -> Counts:
    return Counts(*(sum(column) for column in zip(*parts, strict=True)))


class Forecast(NamedTuple):
    """Events and units of the closed blocks, the older ones partly forgotten."""

    events: float = 0.0
    units: float = 0.0

    def rate(self, prior: tuple[float, float]) -> float:
        return (self.events + prior[0]) / (self.units + prior[0] + prior[1])

    def after(self, block: Counts, forgetting: float) -> "Forecast":
        events = forgetting * self.events + block.stable_events + block.canary_events
        return Forecast(events, forgetting * self.units + block.units)


def harm_factors(block: Counts, forecast_rate: float, highest: float = HIGHEST_RATE) -> tuple[float, ...]:
    """F1: the log factor of each odds ratio. Null: the canary's rate is at most the stable one's in this block."""
    rate = _clip(forecast_rate, 1e-6, highest)
    return tuple(_harm_factor(block, rate, ratio) for ratio in ODDS_RATIOS)


def harm_log_e(logs: Sequence[float]) -> float:
    """The log of the mean of E over the odds ratios."""
    largest = max(logs)
    return largest + log(fsum(exp(value - largest) for value in logs) / len(logs))


def safe_factor(block: Counts, forecast_rate: float, margin: float) -> float:
    """F2: the log factor. Null: the canary's rate is at least the stable one's plus the margin."""
    rate = _clip(forecast_rate, 1e-5, 1 - margin - 1e-3)
    stable = _safe_alternative(block, rate, margin)
    stable_part = _log_ratio(block.stable_events, block.stable_units, rate, stable)
    return stable_part + _log_ratio(block.canary_events, block.canary_units, rate, stable + margin)


def _harm_factor(block: Counts, rate: float, ratio: float) -> float:
    stable = _harm_alternative(block, rate, ratio)
    canary = _with_odds(stable, ratio)
    stable_part = _log_ratio(block.stable_events, block.stable_units, stable, rate)
    return stable_part + _log_ratio(block.canary_events, block.canary_units, canary, rate)


def _harm_alternative(block: Counts, rate: float, ratio: float) -> float:
    """The stable rate at which both arms together have the forecast's events: the positive root of A a² + B a + C."""
    events = block.units * rate
    square = block.stable_units * (ratio - 1)
    linear = block.stable_units + block.canary_units * ratio - events * (ratio - 1)
    root = sqrt(linear * linear + 4 * square * events)
    # the same root in two forms: each one subtracts nearly equal numbers where the other does not
    return 2 * events / (linear + root) if linear > 0 else (root - linear) / (2 * square)


def _safe_alternative(block: Counts, rate: float, margin: float) -> float:
    """The point of the null's edge that is nearest to the forecast: a bisection on an increasing function."""
    low, high = 1e-12, rate
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        shifted = middle + margin
        slope = block.stable_units * (middle - rate) / (middle * (1 - middle))
        slope += block.canary_units * (shifted - rate) / (shifted * (1 - shifted))
        low, high = (low, middle) if slope > 0 else (middle, high)
    return (low + high) / 2


def _with_odds(rate: float, ratio: float) -> float:
    return ratio * rate / (1 + (ratio - 1) * rate)


def _log_ratio(events: int, units: int, numerator: float, denominator: float) -> float:
    return events * log(numerator / denominator) + (units - events) * log((1 - numerator) / (1 - denominator))


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
