"""The order in which training meets rows."""

from collections.abc import Sequence
from typing import Final

import numpy as np

# Rows are sorted by length inside windows of so many batches: little padding, and batches still vary between epochs.
_WINDOW: Final = 32


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers of each batch of one epoch: a function of its arguments alone, so a resumed run meets the same."""
    generator = np.random.default_rng([seed, 1 + epoch])
    order = generator.permutation(len(lengths)).tolist()
    window = batch_size * _WINDOW
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        rows = sorted(order[start : start + window], key=lambda row: lengths[row])
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]
