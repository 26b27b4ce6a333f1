"""Opens a source in its format."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from schemas.jobs import Source
from workers.curate.formats import delimited, jsonl, parquet
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

Reader = Callable[[Path, Source], Iterator[Record | Unreadable]]
READERS: Final[dict[str, Reader]] = {
    "jsonl": jsonl.read,
    "csv": delimited.read_csv,
    "tsv": delimited.read_tsv,
    "parquet": parquet.read,
}


def read_records(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    """Every record once; a bad one is `Unreadable`. JobError: a column that no record has."""
    if not path.is_file():
        raise JobError(f"source {source.uri}: it is a folder; expected one file of {', '.join(READERS)}")
    needed = {"text": source.text, "label": source.label}
    if source.group is not None:
        needed["group"] = source.group
    seen: set[str] = set()
    found: tuple[str, ...] = ()
    readable = 0
    for record in READERS[format_of(path, source)](path, source):
        if isinstance(record, Record):
            readable += 1
            found = found or tuple(record.fields)
            seen.update(column for column in needed.values() if column in record.fields)
        yield record
    for field, column in needed.items():
        if readable and column not in seen:
            names = ", ".join(repr(name) for name in found[:20]) or "none"
            raise JobError(
                f"source {source.uri}: field {field} names column {column!r}, which no row has; found: {names}"
            )


def format_of(path: Path, source: Source) -> str:
    name = source.format or path.suffix.lower().removeprefix(".")
    if name not in READERS:
        raise JobError(
            f"source {source.uri}: the ending {path.suffix!r} names no format; set its field format to one of "
            + ", ".join(READERS)
        )
    return name
