"""CSV and TSV as they are found: what a quote swallowed is read again line by line, and each lost line is counted."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from schemas.jobs.curate import Source
from workers.curate.formats.columns import check_columns, is_labelled, needed_columns
from workers.curate.formats.dialect import (
    SEPARATOR_LINE,
    Dialect,
    Shape,
    StrayQuote,
    delimiters,
    dialects_of,
    guess_header,
    header_of,
    quotings,
    scan,
    shape_of,
)
from workers.curate.formats.layout import DECIMAL_COMMA, Layout, Line, record_of
from workers.curate.formats.lines import MAX_LINE, MAX_RECORD, encoding_of, raw, read_head, read_lines
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

SAMPLE_LINES: Final = 2_000
SAMPLE_CHARACTERS: Final = 8 << 20
"""From so many at most the delimiter, the quotes and the labels are told."""
MAX_READ_AGAIN = 32 << 20
"""Characters that are read a second time because a quote before them never closed; beyond it the file is refused."""
HEADER_LINES: Final = 10
"""Among so many that hold something the names of the columns are looked for: exports have titles and comments above."""


def read_csv(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    return _records(path, source, "csv")


def read_tsv(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    return _records(path, source, "tsv")


def csv_columns(path: Path, source: Source) -> list[str]:
    return _columns(path, source, "csv")


def tsv_columns(path: Path, source: Source) -> list[str]:
    return _columns(path, source, "tsv")


def _columns(path: Path, source: Source, form: str) -> list[str]:
    """The columns' names, by the delimiter that finds most of them in the first line."""
    lines = [line for _, line in _sample(path, source)]
    if not lines:
        return []
    candidates = delimiters(source, form, lines[0])
    first = lines[1:2] if SEPARATOR_LINE.fullmatch(lines[0]) else lines[:1]
    return (
        max((header_of(first[0], dialect, source) for dialect in dialects_of(candidates, source)), key=len)
        if first
        else []
    )


def _records(path: Path, source: Source, form: str) -> Iterator[Record | Unreadable]:
    sample = _sample(path, source)
    if not sample:
        return
    candidates = delimiters(source, form, sample[0][1])
    lines = sample[1:] if SEPARATOR_LINE.fullmatch(sample[0][1]) else sample
    if not lines:
        return
    if len(lines[0][1]) > MAX_LINE:
        raise JobError(f"source {source.uri}: its header line cannot be read: it has more than {MAX_LINE} characters")
    place, heading = guess_header(candidates, [line for _, line in lines[:HEADER_LINES]], source)
    (number, header), delimiter = lines[place], heading.delimiter
    columns = header_of(header, heading, source)
    _check_header(columns, delimiter, path, source)
    yield from (Unreadable(above, "not_a_row", raw(line)) for above, line in lines[:place])
    skipped = number if source.header else number - 1
    body = [line for line in sample if line[0] > skipped]
    dialect = _quoting(body, delimiter, columns, source)
    if _is_numbered(body, dialect, columns, source):
        columns = ["", *columns]
        dialect = _quoting(body, delimiter, columns, source)
    shape = shape_of((line for _, line in body), dialect, columns, source)
    following = (line for line in read_lines(path, source.encoding) if line[0] > skipped and line[1])
    rows = (one for line in following for one in _apart(line, dialect, shape))
    layout = _layout(body, dialect, shape, columns, source)
    for line, values in Rows(rows, dialect, shape, source):
        yield record_of(line, values, layout)


def _sample(path: Path, source: Source) -> list[Line]:
    """The first lines that hold something."""
    sample, size = [], 0
    for line in islice(read_lines(path, source.encoding), SAMPLE_LINES):
        size += len(line[1])
        if size > SAMPLE_CHARACTERS:
            break
        if line[1]:
            sample.append(line)
    return sample


def _check_header(columns: list[str], delimiter: str, path: Path, source: Source) -> None:
    encoding = encoding_of(read_head(path), source.encoding)
    try:
        check_columns(source, columns)
    except JobError as error:
        raise JobError(
            f"{error.reason}; it was read with delimiter {delimiter!r} and encoding {encoding}: set delimiter, "
            "encoding, quote or header where that is wrong"
        ) from None
    for field, name in needed_columns(source).items():
        if columns.count(name) > 1:
            raise JobError(f"source {source.uri}: its header names column {name!r} twice, which field {field} asks for")


def _quoting(body: Sequence[Line], delimiter: str, columns: Sequence[str], source: Source) -> Dialect:
    """The reading of the sample with the fewest faults. A row may lack columns that nobody asked for."""
    last = max(columns.index(name) for name in needed_columns(source).values())

    def faults(dialect: Dialect) -> int:
        shape = shape_of((line for _, line in body), dialect, columns, source)
        try:
            bad = sum(
                not (values and last < len(values) <= len(columns))
                for _, values in Rows(iter(body), dialect, shape, source)
            )
        except JobError:  # too many quotes never close
            return len(body) + 1
        against = _bare_quotes(body, dialect) if dialect.quote else 0
        return bad + against + (0 if dialect.quote == '"' else _quoted_fields(body, delimiter))

    return min(quotings(source, delimiter), key=faults)


def _quoted_fields(body: Iterable[Line], delimiter: str) -> int:
    """Lines with a field in quotes, in which delimiters may be: they tell against quotes being characters."""
    return sum(_has_quotes(line.split(delimiter)) for _, line in body)


def _has_quotes(fields: Sequence[str]) -> bool:
    first = next((place for place, field in enumerate(fields) if field.startswith('"')), len(fields))
    return any(field.endswith('"') and (place or len(field) > 1) for place, field in enumerate(fields[first:]))


def _bare_quotes(body: Iterable[Line], dialect: Dialect) -> int:
    """Who quotes TSV quotes every field that holds a quote: one inside a bare field says that nobody quotes."""
    if dialect.delimiter != "\t":
        return 0
    return sum(
        dialect.quote in field and not field.startswith(dialect.quote) and not field.endswith(dialect.quote)
        for _, line in body
        for field in line.split(dialect.delimiter)
        if dialect.quote * 2 not in line
    )


def _apart(line: Line, dialect: Dialect, shape: Shape) -> Iterator[Line]:
    """Rows that a carriage return alone divides, as files that several systems have written have them."""
    number, text = line
    pieces = text.split("\r")
    if len(pieces) > 1 and all(shape.is_row(piece, dialect) for piece in pieces):
        yield from ((number, piece) for piece in pieces)
    else:
        yield line


class Rows:
    """Records of one or more lines. None instead of fields: a line that is no record, alone."""

    def __init__(self, lines: Iterator[Line], dialect: Dialect, shape: Shape, source: Source) -> None:
        self._lines, self._dialect, self._shape, self._source = lines, dialect, shape, source
        self._again: deque[Line] = deque()
        self._left = MAX_READ_AGAIN

    def __iter__(self) -> Iterator[tuple[Line, list[str] | None]]:
        while (line := self._next()) is not None:
            yield line, self._record(line)

    def _next(self) -> Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)

    def _record(self, first: Line) -> list[str] | None:
        """The fields of the record that begins here; when its quotes hold other rows, of this line alone."""
        if len(first[1]) > MAX_LINE:
            return None
        taken = [first]
        try:
            values = self._read(taken)
        except StrayQuote:
            return self._alone(taken)
        return values

    def _read(self, taken: list[Line]) -> list[str]:
        """The fields of one record; StrayQuote as soon as two of its lines are rows by themselves."""
        values, pieces = scan(taken[0][1], self._dialect)
        size = len(taken[0][1])
        rows = 0 if pieces is None else self._fits(taken[0])
        while pieces is not None:
            line = self._next()
            if line is None:
                raise StrayQuote
            taken.append(line)
            size += len(line[1])
            rows += self._fits(line)
            if size > MAX_RECORD or rows > 1:
                raise StrayQuote
            more, pieces = scan(line[1], self._dialect, pieces)
            values += more
        return values

    def _fits(self, line: Line) -> bool:
        return self._shape.fits(line[1], self._dialect.delimiter)

    def _alone(self, taken: list[Line]) -> list[str] | None:
        """The lines behind the first are read again; the first is a row when it is one with quotes as characters."""
        self._left -= sum(len(line) for _, line in taken[1:])
        if self._left < 0:
            raise JobError(
                f"source {self._source.uri}: line {taken[0][0]}: too many quotes open and never close; set quote to "
                "the character that this file quotes with, or to an empty text where it has none"
            )
        self._again.extendleft(reversed(taken[1:]))
        return taken[0][1].split(self._dialect.delimiter) if self._fits(taken[0]) else None


def _is_numbered(body: Sequence[Line], dialect: Dialect, columns: list[str], source: Source) -> bool:
    """Whether each row begins with its number, of which the header says nothing: R writes row names so."""
    width = len(columns) + 1
    if not source.header or not body or len(body[0][1].split(dialect.delimiter)) < width:
        return False
    shape = shape_of((line for _, line in body), dialect, ["", *columns], source)
    rows = [values for _, values in Rows(iter(body), dialect, shape, source)]
    numbers = [values[0] for values in rows if values and len(values) == width and values[0].isdecimal()]
    return len(set(numbers)) == len(rows)


def _layout(body: Sequence[Line], dialect: Dialect, shape: Shape, columns: list[str], source: Source) -> Layout:
    positions = {name: columns.index(name) for name in needed_columns(source).values()}
    layout = Layout(len(columns) if source.header else None, positions)
    if dialect.delimiter != ";" or not is_labelled(source):
        return layout
    place = positions[source.label]
    rows = (values for _, values in Rows(iter(body), dialect, shape, source))
    labels = [DECIMAL_COMMA.fullmatch(values[place]) for values in rows if values and place < len(values)]
    is_decimal = all(labels) and any(label and label[2] for label in labels)
    return replace(layout, decimals=source.label) if is_decimal else layout
