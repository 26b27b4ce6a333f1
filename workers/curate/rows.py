"""A row on its way through curation, and why one was left out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workers.model.normalize import loosely

Reason = Literal[
    "undecodable",
    "malformed",
    "stray_quote",
    "repeated_key",
    "not_a_row",
    "missing_column",
    "not_text",
    "nul_character",
    "empty_text",
    "empty_label",
    "empty_group",
    "too_long",
    "too_few_words",
    "too_many_words",
    "label_not_a_number",
    "label_between_thresholds",
    "not_a_label",
    "label_too_long",
    "unknown_label",
    "group_pattern_mismatch",
    "duplicate",
    "conflicting_label",
    "group_is_held_out",
    "unbalanced_remainder",
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row came from: which source of the spec, and its line (its row, in Parquet), from 1."""

    source: int
    line: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a format reader found it; `raw` is what it was found in, for its digest."""

    line: int
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that a format reader could not read."""

    line: int
    reason: Reason
    raw: bytes


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    label: str
    group: str | None
    key: str
    """The normalised text: rows with one key are duplicates."""
    place: Place | None = None
    """None: a row of the parent version."""

    @property
    def unit(self) -> str:
        """What may not be divided between splits."""
        return f"group:{self.group}" if self.group is not None else f"text:{loosely(self.key)}"


@dataclass(frozen=True, slots=True)
class Reject:
    place: Place
    reason: Reason
    text_digest: str
    """The text itself is never kept: it may be why the row was rejected."""


def character_fault(value: str) -> Reason | None:
    """NUL, which databases refuse, and surrogates, which are what is left of bytes that were not UTF-8."""
    if "\0" in value:
        return "nul_character"
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        return "undecodable"
    return None


def digest_of(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return "sha256:" + hashlib.sha256(data).hexdigest()


def reject(row: Row, reason: Reason) -> Reject:
    if row.place is None:
        raise ValueError("a row of the parent version is never rejected")
    return Reject(row.place, reason, digest_of(row.text))
