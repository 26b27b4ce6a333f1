"""Which rows are computed together: padding costs as much as text, and every batch costs a little by itself."""

from collections.abc import Sequence
from typing import Final

MAX_ROWS: Final = 32
"""Rows of one batch."""
MAX_TOKENS: Final = 1024
"""Tokens of one batch: larger ones leave the processor's caches (32 rows of 64 tokens: 20 % more time a token)."""
BATCH_TOKENS: Final = 10
"""One more batch costs as much as so many tokens (MiniLM on one AVX-512 core: 2.3 ms, and 0.23 ms a token)."""


def plan_batches(lengths: Sequence[int]) -> list[list[int]]:
    """The cheapest split: positions of the rows of each batch, shortest rows first."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs, begins = [0], [0]  # of the first n rows: what they cost, and where their last batch begins
    for end in range(1, len(order) + 1):
        width = lengths[order[end - 1]]
        most = min(MAX_ROWS, max(1, MAX_TOKENS // max(1, width)), end)
        cost, begin = min((costs[end - rows] + rows * width, end - rows) for rows in range(1, most + 1))
        costs.append(cost + BATCH_TOKENS)
        begins.append(begin)
    batches: list[list[int]] = []
    end = len(order)
    while end > 0:
        batches.append(order[begins[end] : end])
        end = begins[end]
    return batches[::-1]
