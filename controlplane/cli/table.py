"""Tables in plain text: one line a row, whole when piped, as wide as the terminal otherwise."""

import re
from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from controlplane.domain.waits import SHORT_ID

GAP = "  "
LEAST = 8
"""No column is made narrower; a table that is still too wide is cut by the terminal."""
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SHORT_TIME = slice(5, 16)
"""The part of a time that is shown where the whole has no place: month, day, hour and minute."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """`width` None: as wide as it gets. What has no place ends in an ellipsis; an id and a time have a short form."""
    lines = [[one_line(cell) for cell in row] for row in (head, *rows)]
    if width is not None and sum(_widths(lines)) + len(GAP) * (len(head) - 1) > width:
        lines = [[_short(cell) for cell in line] for line in lines]
    widths = _widths(lines)
    if width is not None:
        widths = _fitted(widths, width - len(GAP) * (len(head) - 1))
    for line in lines:
        yield GAP.join(_padded(cell, wide) for cell, wide in zip(line, widths, strict=True)).rstrip()


def one_line(text: str) -> str:
    """Without what would end the line or move the cursor: a stranger may have written it."""
    return "".join(c if c.isprintable() else " " for c in text)


def _short(cell: str) -> str:
    if UUID.fullmatch(cell):
        return cell[:SHORT_ID]
    return cell[SHORT_TIME] if TIME.fullmatch(cell) else cell


def _widths(lines: list[list[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*lines, strict=True)]


def _fitted(widths: list[int], room: int) -> list[int]:
    """The widest gives way first."""
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > LEAST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _padded(cell: str, width: int) -> str:
    if _width(cell) > width:
        while _width(cell) >= width:
            cell = cell[:-1]
        cell += "…"
    return cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
