"""A seeded order of rows that depends on the rows alone, and a slice of it."""

import hashlib
from collections.abc import Iterable

from workers.curate.rows import Row


def order_key(seed: int, row: Row) -> tuple[bytes, bytes]:
    """Rows of one group are neighbours, so a slice divides at most two groups."""
    return _hash(seed, row.unit), _hash(seed, row.key)


def draw(rows: Iterable[Row], seed: int, offset: int, limit: int | None) -> list[Row]:
    ordered = sorted(rows, key=lambda row: order_key(seed, row))
    return ordered[offset : None if limit is None else offset + limit]


def _hash(seed: int, value: str) -> bytes:
    # Not Python's hash: that one differs by process.
    return hashlib.blake2b(f"{seed}:{value}".encode(), digest_size=16).digest()
