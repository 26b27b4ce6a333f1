"""Curves of a job in plain text: a small picture of each, and some of their points side by side."""

from collections.abc import Sequence
from typing import Any, Final

from controlplane.domain.thinning import thinned
from schemas.views.jobs import Curve

BARS: Final = "▁▂▃▄▅▆▇█"
MOST_COLUMNS: Final = 60
ROWS: Final = 12
"""How many points of a curve are listed: the first, the last, and those evenly between."""


def picture(curve: Curve, width: int | None) -> str:
    """The name with its first, last and least value, and below it the curve; of one point there is nothing to draw."""
    if len(curve.values) == 1:
        return f"{curve.name}: {curve.values[0]:.4g} at step {curve.steps[0]:,}\n"
    least = min(curve.values)
    at = curve.steps[curve.values.index(least)]
    head = f"{curve.name}: {curve.values[0]:.4g} to {curve.values[-1]:.4g}, least {least:.4g} at step {at:,}"
    return f"{head}\n{sparkline(curve.values, min(width or MOST_COLUMNS, MOST_COLUMNS))}\n"


def sparkline(values: Sequence[float], columns: int) -> str:
    """As many bars as there is room for, each the mean of its share of the values; the tallest is the greatest."""
    count = min(columns, len(values))
    means = [_mean(values[i * len(values) // count : (i + 1) * len(values) // count]) for i in range(count)]
    low, span = min(means), max(means) - min(means)
    return "".join(BARS[round((mean - low) / span * (len(BARS) - 1))] if span else BARS[0] for mean in means)


def points(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Rows of a table, by step, with what was measured at each."""
    by_step: dict[int, dict[str, Any]] = {}
    for curve in curves:
        for step, value in zip(curve.steps, curve.values, strict=True):
            by_step.setdefault(step, {"step": step})[curve.name] = value
    rows = [by_step[step] for step in sorted(by_step)]
    return thinned(rows, ROWS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
