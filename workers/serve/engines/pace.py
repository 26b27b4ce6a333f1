"""How long this machine takes for a token, of late."""

import math
from collections import deque
from statistics import median

REMEMBERED = 16
"""Measurements. Their median forgets one that stalled, and follows a machine that has become slower."""


class Pace:
    """Seconds that a token takes: the median of the last measurements."""

    def __init__(self) -> None:
        self._measured: deque[float] = deque(maxlen=REMEMBERED)
        self.measured_at = -math.inf

    def measure(self, tokens: int, seconds: float, now: float) -> None:
        self._measured.append(seconds / tokens)
        self.measured_at = now

    @property
    def seconds_per_token(self) -> float | None:
        """None: nothing has been computed yet."""
        return median(self._measured) if self._measured else None
