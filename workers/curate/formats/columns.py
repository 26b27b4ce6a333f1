"""Which columns a source must have, and the error that names the one that it lacks."""

from collections.abc import Collection

from schemas.jobs import Source
from workers.runtime.errors import JobError


def needed_columns(source: Source) -> dict[str, str]:
    """The spec's field and the column that it names."""
    needed = {"text": source.text, "label": source.label}
    return needed if source.group is None else needed | {"group": source.group}


def check_columns(source: Source, found: Collection[str]) -> None:
    for field, column in needed_columns(source).items():
        if column not in found:
            names = ", ".join(repr(name) for name in sorted(found)[:20]) or "none"
            raise JobError(
                f"source {source.uri}: field {field} names column {column!r}, which no row has; found: {names}"
            )
