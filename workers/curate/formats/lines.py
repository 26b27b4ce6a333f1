"""Lines of a file from anywhere: however long one is, it costs a bounded amount of memory."""

from collections.abc import Iterator
from pathlib import Path

MAX_LINE = 1 << 20
"""Bytes. A longer line is cut to one byte more, so that its reader sees that it is too long."""
MAX_RECORD = 4 << 20
"""Bytes of one record, which may have several lines where quotes hold them together."""
_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            yield number, line.removeprefix(_BOM) if number == 1 else line
            while not line.endswith(b"\n") and len(line) > MAX_LINE:
                line = file.readline(MAX_LINE + 1)
