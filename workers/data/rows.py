"""A row of a dataset version: what it is, its canonical form, and the digests over that."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from schemas.artifacts import Digest, Split
from schemas.data.rows import RowSchema
from workers.data.normalize import loosely, normalize

Canonical = tuple[object, ...]
"""The values of a row schema's columns, in their order."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row came from: which source of the spec, and its line (its row, in Parquet), from 1."""

    source: int
    line: int


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    label: str
    group: str | None
    key: str
    """The normalised text: rows with one key are duplicates."""
    place: Place | None = None
    """None: a row of the parent version."""
    split: Split | None = None
    """None: it has not been divided yet."""

    @property
    def unit(self) -> str:
        """What may not be divided between splits."""
        return f"group:{self.group}" if self.group is not None else f"text:{loosely(self.key)}"

    def with_text(self, text: str) -> "Row":
        return replace(self, text=text, key=normalize(text))


def canonical(row: Row, schema: RowSchema) -> Canonical:
    return tuple(getattr(row, column) for column in schema.columns)


def written(value: object) -> bytes:
    """One line of JSON, which is the same whoever writes it: what digests are made of."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def rows_digest(rows: Iterable[Canonical]) -> Digest:
    """The digest of rows, in whatever order: who is asked the same has the same digest."""
    sha256 = hashlib.sha256()
    for line in sorted(written(row) for row in rows):
        sha256.update(line)
    return "sha256:" + sha256.hexdigest()


def row_digest(*row: object) -> Digest:
    """The digest of one row, by its canonical values: it names the row to who has it, and tells nobody what it says."""
    return "sha256:" + hashlib.sha256(written(row)).hexdigest()
