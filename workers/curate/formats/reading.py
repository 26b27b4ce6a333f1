"""Opens a source in its format."""

import codecs
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
    "json": jsonl.read,
    "csv": delimited.read_csv,
    "tsv": delimited.read_tsv,
    "parquet": parquet.read,
}

ENDINGS: Final = {"txt": "tsv", "tab": "tsv", "ndjson": "jsonl", "pq": "parquet"}
"""Other endings of a format."""
NO_TEXT: Final = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save it as CSV first",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"PAR1": "a Parquet file; set its field format to parquet",
    b"%PDF": "a PDF document; save its table as CSV first",
    b"<!DOCTYPE": "an HTML page: was it downloaded without signing in?",
    b"<!doctype": "an HTML page: was it downloaded without signing in?",
    b"<html": "an HTML page: was it downloaded without signing in?",
    b"<?xml": "XML; save its table as CSV first",
}
"""By the first bytes: what is no text, whatever its name says."""


def read_records(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    """Every record once; a bad one is `Unreadable`. JobError: a column that no record has."""
    if not path.is_file():
        raise JobError(f"source {source.uri}: it is a folder; expected one file of {', '.join(READERS)}")
    _refuse_others(path, source)
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


def _refuse_others(path: Path, source: Source) -> None:
    if format_of(path, source) == "parquet":
        return
    with path.open("rb") as file:
        head = file.read(max(map(len, NO_TEXT))).removeprefix(codecs.BOM_UTF8)
    for magic, words in NO_TEXT.items():
        if head.startswith(magic):
            raise JobError(f"source {source.uri}: it cannot be read as text: it is {words}")


def format_of(path: Path, source: Source) -> str:
    suffix = path.suffix.lower().removeprefix(".")
    name = source.format or ENDINGS.get(suffix, suffix)
    if name not in READERS:
        raise JobError(
            f"source {source.uri}: the ending {path.suffix!r} names no format; set its field format to one of "
            + ", ".join(READERS)
        )
    return name
