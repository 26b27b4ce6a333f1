"""A slice of the rows in an order that a seed and the rows alone decide."""

from collections.abc import Iterable, Sequence

from schemas.data.operators import Sample
from workers.curate.operators.operator import Given, Outcome
from workers.curate.operators.sampling.order import order_key
from workers.data.rows import Row


def apply(rows: Sequence[Row], settings: Sample, given: Given) -> Outcome:
    return sample(rows, given.seed, settings.offset, settings.limit), []


def sample(rows: Iterable[Row], seed: int, offset: int, limit: int | None) -> list[Row]:
    ordered = sorted(rows, key=lambda row: order_key(seed, row))
    return ordered[offset : None if limit is None else offset + limit]
