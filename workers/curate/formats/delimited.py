"""CSV (RFC 4180 quoting) and TSV (IANA text/tab-separated-values: no quoting, a quote is a character)."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.jobs import Source
from workers.curate.formats.lines import MAX_LINE, MAX_RECORD, read_lines
from workers.curate.rows import Reason, Record, Unreadable, character_fault
from workers.runtime.errors import JobError


def read_csv(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    return _records(path, source, delimiter=",", quoting=csv.QUOTE_MINIMAL)


def read_tsv(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    return _records(path, source, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)


def _records(path: Path, source: Source, **dialect: Any) -> Iterator[Record | Unreadable]:
    csv.field_size_limit(MAX_LINE)
    lines = _Lines(path)
    reader = csv.reader(lines, **dialect)
    columns = _header(reader, source) if source.header else None
    while True:
        lines.begin_record()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason: Reason = "too_long" if "field limit" in str(error) else "malformed"
            yield Unreadable(reader.line_num, reason, b"")
            continue
        if values:
            yield _record(reader.line_num, values, columns)


class _Lines:
    """The file's lines for a reader that joins them into records: one whose quotes never close is cut off."""

    def __init__(self, path: Path) -> None:
        self._lines = read_lines(path)
        self._left = MAX_RECORD

    def begin_record(self) -> None:
        self._left = MAX_RECORD

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        _, line = next(self._lines)
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error("record larger than field limit")
        # surrogateescape keeps undecodable bytes inside their own record, so one bad line is one reject.
        return line.decode("utf-8", "surrogateescape")


def _header(reader: Iterator[list[str]], source: Source) -> list[str]:
    try:
        columns = next(reader, [])
    except csv.Error as error:
        raise JobError(f"source {source.uri}: its header line cannot be read: {error}") from error
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise JobError(f"source {source.uri}: its header names column {repeated[0]!r} twice")
    return columns


def _record(line: int, values: Sequence[str], columns: Sequence[str] | None) -> Record | Unreadable:
    if any(character_fault(value) == "undecodable" for value in values):
        return Unreadable(line, "undecodable", "".join(values).encode("utf-8", "surrogateescape"))
    if columns is None:
        return Record(line, {str(index): value for index, value in enumerate(values)})
    if len(values) > len(columns):
        return Unreadable(line, "malformed", "".join(values).encode())
    # A short record lacks its last columns; which of them matter is not this reader's business.
    return Record(line, dict(zip(columns, values, strict=False)))
