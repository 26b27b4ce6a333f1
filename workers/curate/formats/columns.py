"""Which columns a source must have, and the error that names the one that it lacks."""

from collections.abc import Collection
from typing import Final

from schemas.jobs.curate import Source
from workers.runtime.errors import JobError

LISTS: Final = frozenset({"messages", "conversations"})
"""Columns that hold lists: conversations. The others hold one value."""
SHOWN_NAMES: Final = 20
SHOWN_CHARACTERS: Final = 40
"""Characters of a column's name in an error: what is read as one may be a whole file, and the advice stands behind."""


def needed_columns(source: Source) -> dict[str, str]:
    """The spec's field and the column that it names."""
    needed = source.columns or {"text": source.text, "label": source.label}
    return needed if source.group is None else needed | {"group": source.group}


def is_labelled(source: Source) -> bool:
    """Whether its rows have a label, by which a line of a file can be told for a row."""
    return not source.columns


def check_columns(source: Source, found: Collection[str]) -> None:
    for field, column in needed_columns(source).items():
        if column not in found:
            raise JobError(
                f"source {source.uri}: field {field} names column {column!r}, which no row has; found: {listed(found)}"
            )


def listed(found: Collection[str]) -> str:
    return ", ".join(_shown(name) for name in sorted(found)[:SHOWN_NAMES]) or "none"


def _shown(name: str) -> str:
    return repr(name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…")
