"""Opens a source in its format."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from schemas.jobs import Source
from workers.curate.formats import delimited, jsonl, parquet
from workers.curate.formats.columns import check_columns
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

Reader = Callable[[Path, Source], Iterator[Record | Unreadable]]
MAX_COLUMNS: Final = 10_000
"""JSON objects may name new columns in every row: so many are remembered, those of the spec long before."""
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
    found: dict[str, None] = {}
    readable = False
    for record in READERS[format_of(path, source)](path, source):
        if isinstance(record, Record):
            readable = True
            if len(found) < MAX_COLUMNS:
                found.update(dict.fromkeys(record.fields))
        yield record
    if readable:
        check_columns(source, found)


def format_of(path: Path, source: Source) -> str:
    name = source.format or path.suffix.lower().removeprefix(".")
    if name not in READERS:
        raise JobError(
            f"source {source.uri}: the ending {path.suffix!r} names no format; set its field format to one of "
            + ", ".join(READERS)
        )
    return name
