"""Units of both arms by how they ended: what a second, or a window of seconds, tells of arrivals."""

from collections.abc import Iterable
from operator import add
from typing import Final, Literal, NamedTuple

from controlplane.domain.analysis.eprocess import Counts
from schemas.serving import Arm, ArmCounts, CanaryMetricName, UnitEnd

EndMetric = Literal["error", "abandoned"]
END_METRICS: Final[tuple[EndMetric, ...]] = ("error", "abandoned")
"""Metrics that a unit's end tells, and that wait for no label."""


class Arrived(NamedTuple):
    """Both arms' units, and those of them that were not answered."""

    stable_units: int = 0
    stable_error: int = 0
    stable_abandoned: int = 0
    canary_units: int = 0
    canary_error: int = 0
    canary_abandoned: int = 0

    def plus(self, other: "Arrived") -> "Arrived":
        return Arrived(*map(add, self, other))

    def of(self, metric: EndMetric) -> Counts:
        """With the events of one metric."""
        if metric == "error":
            return Counts(self.stable_units, self.stable_error, self.canary_units, self.canary_error)
        return Counts(self.stable_units, self.stable_abandoned, self.canary_units, self.canary_abandoned)

    @property
    def units(self) -> int:
        return self.stable_units + self.canary_units

    @property
    def answers(self) -> tuple[int, int]:
        """How many the stable version and the canary answered: a label can be of these alone."""
        return (
            self.stable_units - self.stable_error - self.stable_abandoned,
            self.canary_units - self.canary_error - self.canary_abandoned,
        )


def arrived(stable: ArmCounts, canary: ArmCounts) -> Arrived:
    return Arrived(stable.units, stable.error, stable.abandoned, canary.units, canary.error, canary.abandoned)


def arrived_at(arm: Arm, end: UnitEnd, units: int) -> Arrived:
    """So many units that ended alike."""
    counts = (units, units if end == "error" else 0, units if end == "abandoned" else 0)
    return Arrived(*counts) if arm == "stable" else Arrived(0, 0, 0, *counts)


def sum_arrived(parts: Iterable[Arrived]) -> Arrived:
    return Arrived(*(sum(column) for column in zip(*parts, strict=True)))


def end_metric(name: CanaryMetricName) -> EndMetric | None:
    """None: it waits for labels."""
    return name if name != "wrong" else None
