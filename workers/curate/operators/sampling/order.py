"""A seeded order of rows that depends on the rows alone."""

import hashlib

from workers.data.rows import Row


def order_key(seed: int, row: Row) -> tuple[bytes, bytes]:
    """Rows of one group are neighbours, so a slice divides at most two groups."""
    return _hash(seed, row.unit), _hash(seed, row.key)


def _hash(seed: int, value: str) -> bytes:
    # Not Python's hash: that one differs by process.
    return hashlib.blake2b(f"{seed}:{value}".encode(), digest_size=16).digest()
