"""Fewer points of a long series: enough for a picture or a table, and its ends among them."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def thinned(points: Sequence[T], most: int) -> list[T]:
    """At most so many, two at least: the first, the last, and those evenly between."""
    last = len(points) - 1
    return [points[one] for one in sorted({round(n * last / (most - 1)) for n in range(most)})] if points else []
