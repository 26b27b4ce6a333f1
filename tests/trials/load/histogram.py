"""A latency histogram with a fixed relative error, as HdrHistogram's: cheap to record."""

from collections import Counter
from dataclasses import dataclass, field

_PRECISION_BITS = 10
"""A bucket is at most 1/1024 of its value wide: three significant digits."""


@dataclass
class Histogram:
    """Whole microseconds."""

    counts: Counter[int] = field(default_factory=Counter)
    """Lowest value of a bucket -> how many fell into it."""
    largest: int = 0

    def record(self, seconds: float) -> None:
        micros = max(0, round(seconds * 1e6))
        shift = max(0, micros.bit_length() - 1 - _PRECISION_BITS)
        self.counts[(micros >> shift) << shift] += 1
        self.largest = max(self.largest, micros)

    @property
    def total(self) -> int:
        return self.counts.total()

    def percentile(self, percent: float) -> float | None:
        """Milliseconds: the lowest value that at least so many percent do not exceed. None: nothing was recorded."""
        if not self.counts:
            return None
        rank = max(1, -(-self.total * percent // 100))
        seen = 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= rank:
                return value / 1e3
        return self.largest / 1e3

    def summary(self) -> dict[str, float | None]:
        """Milliseconds."""
        shown = {f"p{percent:g}": self.percentile(percent) for percent in (50, 90, 99, 99.9)}
        return {**shown, "max": self.largest / 1e3 if self.counts else None}
