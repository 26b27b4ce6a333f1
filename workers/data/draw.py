"""A sample of rows, drawn by a job's seed."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Row = TypeVar("Row")


def draw(rows: Sequence[Row], most: int | None, seed: int) -> Sequence[Row]:
    """At most so many of them, in the order in which they are drawn; all, as they are, where that is no fewer."""
    if most is None or most >= len(rows):
        return rows
    return [rows[row] for row in np.random.default_rng([seed, 0]).permutation(len(rows))[:most]]
