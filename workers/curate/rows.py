"""A record as it was found in a source, and a row that was left out on its way into a dataset version."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workers.data.rows import Place, Row

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
    "not_a_label",
    "label_too_long",
    "empty_prompt",
    "empty_completion",
    "not_messages",
    "empty_message",
    "unknown_role",
    "no_assistant_turn_last",
]
"""Why a record is no row. Each operator says in its settings why it leaves out those that are."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a format reader found it."""

    line: int
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that a format reader could not read."""

    line: int
    reason: Reason
    raw: bytes
    """What it was found in, for its digest."""


@dataclass(frozen=True, slots=True)
class Reject:
    place: Place
    operator: str | None
    """Which operator left it out; None: it was no row when it was read."""
    reason: str
    text_digest: str
    """The text itself is never kept: it may be why the row was rejected."""

    @classmethod
    def of(cls, row: Row, operator: str, reason: str) -> "Reject":
        if row.place is None:
            raise ValueError("a row of the parent version is never rejected")
        return cls(row.place, operator, reason, digest_of(row.text))


def digest_of(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return "sha256:" + hashlib.sha256(data).hexdigest()
