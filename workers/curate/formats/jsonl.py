"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from schemas.jobs import Source
from workers.curate.formats.lines import MAX_LINE, read_lines
from workers.curate.rows import Reason, Record, Unreadable


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    for number, line in read_lines(path):
        if line.strip():
            yield _parse(number, line)


def _parse(number: int, line: bytes) -> Record | Unreadable:
    reason: Reason = "malformed"
    if len(line) > MAX_LINE:
        return Unreadable(number, "too_long", line)
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        reason = "undecodable"
    except (ValueError, RecursionError):
        pass
    else:
        if isinstance(value, dict):
            return Record(number, value)
    return Unreadable(number, reason, line)
