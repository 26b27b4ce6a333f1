"""What the fields of a delimited row mean: which were asked for, and how their values are written."""

import re
from dataclasses import dataclass
from typing import Final

from workers.curate.formats.lines import MAX_LINE, raw
from workers.curate.rows import Reason, Record, Unreadable
from workers.curate.shapes.values import character_fault

NULL: Final = "\\N"
"""As MySQL and PostgreSQL write it."""
RULED: Final = " \t|:;,+=_-"
DECIMAL_COMMA: Final = re.compile(r"(-?[0-9]+)(?:,([0-9]+))?")
Line = tuple[int, str]


@dataclass(frozen=True)
class Layout:
    """Where the fields are that somebody asked for, and how they are written."""

    width: int | None
    """Fields of a row at most; None: the file has no header."""
    positions: dict[str, int]
    decimals: str | None = None
    """The column whose numbers have a comma where other files have a point."""


def record_of(line: Line, values: list[str] | None, layout: Layout) -> Record | Unreadable:
    number, text = line
    # A short record lacks its last columns; which of them matter is not this reader's business.
    fields = {
        name: _value(values[index], is_decimal=name == layout.decimals)
        for name, index in layout.positions.items()
        if values is not None and index < len(values)
    }
    fault = _fault(text, values, fields, layout)
    return Record(number, fields) if fault is None else Unreadable(number, fault, raw(text))


def _fault(text: str, values: list[str] | None, fields: dict[str, str | None], layout: Layout) -> Reason | None:
    if is_rule(text):
        return "not_a_row"
    if values is None:
        return "too_long" if len(text) > MAX_LINE else "stray_quote"
    if layout.width is not None and any(values[layout.width :]):
        return "malformed"
    if layout.width is not None and all(name == value for name, value in fields.items()):
        return "not_a_row"  # the header again
    if any(value is not None and character_fault(value) == "undecodable" for value in fields.values()):
        return "undecodable"
    return None


def is_rule(line: str) -> bool:
    """The line below the header of a Markdown table, and above and below one that a database's shell has drawn."""
    return ("--" in line or "==" in line) and not line.strip(RULED)


def _value(value: str, *, is_decimal: bool) -> str | None:
    """Excel is kept from taking a text for a number by `="…"`."""
    if value.startswith('="') and value.endswith('"') and len(value) > len('=""'):
        return value[2:-1]
    if is_decimal and (match := DECIMAL_COMMA.fullmatch(value)):
        return value.replace(",", ".") if match[2] else value
    return None if value == NULL else value
