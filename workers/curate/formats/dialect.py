"""How a delimited file is written: told by the spec, else found out from the file's beginning."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.jobs.curate import Source
from schemas.labels import NotALabel, canonical_label
from workers.curate.formats.columns import is_labelled, needed_columns

DELIMITERS: Final = {"csv": ",;\t|", "tsv": "\t,;|"}
"""Tried in this order where the spec names none."""
SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?')
"""Excel's first line for whoever opens the file in another locale."""
MAX_KNOWN_LABELS: Final = 1000
"""Labels of one file by which a line is recognised as a row; a file with more has texts or numbers there."""


class StrayQuote(Exception):
    """A quote was opened that does not close where a field ends."""


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    quote: str = '"'
    """Empty: a quote is a character like any other."""
    escaped: bool = False
    """A backslash, and not a second quote, is before a quote inside quotes."""


def scan(line: str, dialect: Dialect, pieces: list[str] | None = None) -> tuple[list[str], list[str] | None]:
    """The fields that end in this line, and the pieces of a quoted one that goes on in the next.

    Raises StrayQuote.
    """
    values: list[str] = []
    at = 0
    while True:
        if pieces is None:
            begin = _opening(line, at, dialect.quote)
            if begin is None:
                end = line.find(dialect.delimiter, at)
                if end < 0:
                    values.append(line[at:])
                    return values, None
                values.append(line[at:end])
                at = end + 1
                continue
            pieces, at = [], begin + 1
        at, closed = _inside(line, at, dialect, pieces)
        if not closed:
            return values, pieces
        values.append("".join(pieces))
        pieces = None
        if at >= len(line):
            return values, None
        at += 1


def _opening(line: str, at: int, quote: str) -> int | None:
    """Where the field that begins at `at` opens its quotes: some write a space after each delimiter."""
    while quote and line.startswith(" ", at):
        at += 1
    return at if quote and line.startswith(quote, at) else None


def _inside(line: str, at: int, dialect: Dialect, pieces: list[str]) -> tuple[int, bool]:
    """Read on inside quotes: where they close, or that they do not in this line."""
    while (end := line.find(dialect.quote, at)) >= 0:
        after = line[end + 1 : end + 2]
        if dialect.escaped and line[at:end].endswith("\\"):
            pieces.append(line[at : end - 1] + dialect.quote)
            at = end + 1
        elif after == dialect.quote and not dialect.escaped:
            pieces.append(line[at : end + 1])
            at = end + 2
        elif (behind := _behind(line, end + 1, dialect.delimiter)) is not None:
            pieces.append(line[at:end])
            # A delimiter that is the last character has one more, empty, field behind it.
            return behind, True
        else:
            raise StrayQuote
    pieces.append(line[at:] + "\n")
    return len(line), False


def _behind(line: str, at: int, delimiter: str) -> int | None:
    """Where the field ends whose quotes closed before `at`: some pad it with spaces. None: something else is there."""
    while line.startswith(" ", at) and delimiter != " ":
        at += 1
    return at if at == len(line) or line.startswith(delimiter, at) else None


@dataclass(frozen=True)
class Shape:
    """What a row of this file looks like: how many fields, and which labels."""

    width: int
    label: int | None
    """None: its rows have none."""
    known: frozenset[str]

    def fits(self, line: str, delimiter: str) -> bool:
        """Whether this line alone is a row, quotes taken as characters."""
        values = line.split(delimiter)
        return self._is_row(values)

    def is_row(self, line: str, dialect: Dialect) -> bool:
        """The same, with quotes as this dialect means them."""
        try:
            values, goes_on = scan(line, dialect)
        except StrayQuote:
            return False
        return goes_on is None and self._is_row(values)

    def _is_row(self, values: Sequence[str]) -> bool:
        return len(values) == self.width and (self.label is None or label_at(values, self.label) in self.known)


def label_at(values: Sequence[str], index: int) -> str | None:
    try:
        return canonical_label(values[index])
    except (NotALabel, IndexError):
        return None


def delimiters(source: Source, form: str, first: str) -> str:
    if source.delimiter:
        return source.delimiter
    separator = SEPARATOR_LINE.fullmatch(first)
    return separator[1] if separator else DELIMITERS[form]


def guess_header(candidates: str, lines: Sequence[str], source: Source) -> tuple[int, Dialect]:
    """Which line names the columns, and how it is to be read: the first that finds those that are asked for.

    Else it is the first line, by the delimiter that finds most columns.
    """
    needed = needed_columns(source).values()
    dialects = dialects_of(candidates, source)
    for place, line in enumerate(lines if source.header else ()):
        for dialect in dialects:
            names = header_of(line, dialect, source)
            if all(name in names for name in needed):
                return place, dialect
    return 0, max(dialects, key=lambda dialect: len(header_of(lines[0], dialect, source)))


def dialects_of(candidates: str, source: Source) -> list[Dialect]:
    """Every way to read a header."""
    return [Dialect(delimiter, quote) for delimiter in candidates for quote in _quotes(source)]


def _quotes(source: Source) -> tuple[str, ...]:
    return ('"', "'") if source.quote is None else (source.quote,)


def header_of(line: str, dialect: Dialect, source: Source) -> list[str]:
    """The columns' names; a file without a header has their positions."""
    try:
        values, goes_on = scan(line, dialect)
    except StrayQuote:
        values, goes_on = line.split(dialect.delimiter), None
    if goes_on is not None:
        values = line.split(dialect.delimiter)
    if not source.header:
        return [str(index) for index in range(len(values))]
    asked = set(needed_columns(source).values())
    return [value if value in asked else value.strip() for value in values]


def shape_of(sample: Iterable[str], dialect: Dialect, columns: Sequence[str], source: Source) -> Shape:
    """From the lines in which no quote stands: they can be read in one way only."""
    if not is_labelled(source):
        return Shape(len(columns), None, frozenset())
    label = columns.index(source.label)
    known: set[str] = set()
    for line in (piece for whole in sample for piece in whole.split("\r")):
        values = line.split(dialect.delimiter)
        if '"' not in line and len(values) == len(columns) and len(known) < MAX_KNOWN_LABELS:
            known |= {found for found in (label_at(values, label),) if found is not None}
    return Shape(len(columns), label, frozenset(known))


def quotings(source: Source, delimiter: str) -> Iterator[Dialect]:
    """In the order of preference."""
    if source.quote != "":
        quoted = Dialect(delimiter, source.quote or '"')
        yield quoted
        yield replace(quoted, escaped=True)
    if source.quote is None:
        yield Dialect(delimiter, "'")
    if not source.quote:
        yield Dialect(delimiter, "")
