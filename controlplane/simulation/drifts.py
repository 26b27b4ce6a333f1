"""How rates and traffic move in imagined worlds: in steps of ten seconds, the same for both arms unless said."""

from functools import partial
from math import cos, pi, sin

from controlplane.simulation.scenario import Drift, Rates

STEP = 10


def climbing(last: float, seconds: int = 600) -> Drift:
    """Both arms' rates move until the stable one is at `last`."""
    return partial(_climbing, last, seconds)


def incident(at: int, rates: Rates) -> Rates:
    """Both arms fail four times as often for 100 seconds."""
    return _times(rates, 4) if 60 <= at < 160 else rates


def step_change(at: int, rates: Rates) -> Rates:
    """From one second to the next, three times as many of both, for good."""
    return _times(rates, 3) if at >= 90 else rates


def swinging(at: int, rates: Rates) -> Rates:
    """Up and down by 80 % in five minutes."""
    return _times(rates, 1 + 0.8 * sin(2 * pi * _held(at) / 300))


def with_load(at: int, rates: Rates) -> Rates:
    """Three times as many at the peak of the day as in its night."""
    return _times(rates, 0.5 + daily(at) / 1.9)


def creeping(last: float, seconds: int) -> Drift:
    """The canary alone gets worse, to `last`."""
    return partial(_creeping, last, seconds)


def daily(at: int) -> float:
    """A day in an hour: traffic from a tenth to nineteen tenths of its mean, the rollout starts at night."""
    return 1 - 0.9 * cos(2 * pi * _held(at) / 3600)


def _climbing(last: float, seconds: int, at: int, rates: Rates) -> Rates:
    return _times(rates, 1 + (last / rates[0] - 1) * min(_held(at) / seconds, 1))


def _creeping(last: float, seconds: int, at: int, rates: Rates) -> Rates:
    return rates[0], rates[1] + (last - rates[1]) * min(_held(at) / seconds, 1)


def _held(at: int) -> int:
    """A rate that holds for a while is drawn from the same table for a while."""
    return at // STEP * STEP


def _times(rates: Rates, factor: float) -> Rates:
    return min(rates[0] * factor, 1.0), min(rates[1] * factor, 1.0)
