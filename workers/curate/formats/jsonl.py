"""JSON Lines, one object a line; and one array of objects, as `json.dump` and pandas write it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.jobs import Source
from workers.curate.formats.lines import MARK, MAX_LINE, encoding_of, read_head, read_lines
from workers.curate.rows import Reason, Record, Unreadable
from workers.runtime.errors import JobError

CHUNK: Final = 1 << 16
_DECODER: Final = json.JSONDecoder()


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    head = read_head(path)
    codec = encoding_of(head, source.encoding)
    if head.decode(codec, "replace").lstrip("\ufeff \t\r\n").startswith("["):
        yield from _array(path, codec, source)
        return
    for number, line in read_lines(path, source.encoding):
        if line.strip():
            yield _parse(number, line)


def _parse(number: int, line: str) -> Record | Unreadable:
    reason: Reason = "malformed"
    if len(line) > MAX_LINE:
        reason = "too_long"
    elif any("\udc80" <= character <= "\udcff" for character in line):
        reason = "undecodable"
    else:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            pass
        else:
            if isinstance(value, dict):
                return Record(number, value)
    return Unreadable(number, reason, _raw(line))


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _array(path: Path, codec: str, source: Source) -> Iterator[Record | Unreadable]:
    """Element by element: the whole of it is never in memory."""
    with path.open(encoding=codec, errors=MARK) as file:
        buffer, line, ended = file.read(CHUNK), 1, False
        at = buffer.index("[") + 1
        line += buffer.count("\n", 0, at)
        while True:
            start = at
            while at < len(buffer) and buffer[at] in " \t\r\n,":
                at += 1
            line += buffer.count("\n", start, at)
            if buffer.startswith("]", at):
                return
            value, end = _element(buffer, at)
            if end is None:
                more = file.read(CHUNK)
                buffer, at, ended = buffer[at:] + more, 0, not more
                if ended or len(buffer) > MAX_LINE + CHUNK:
                    raise JobError(
                        f"source {source.uri}: the JSON array breaks off, or is no JSON, in the element that begins in "
                        f"line {line}"
                    )
                continue
            raw = buffer[at:end]
            yield Record(line, value) if isinstance(value, dict) else Unreadable(line, "malformed", _raw(raw))
            line += buffer.count("\n", at, end)
            at = end


def _element(buffer: str, at: int) -> tuple[object, int | None]:
    try:
        value, end = _DECODER.raw_decode(buffer, at)
    except (ValueError, RecursionError):
        return None, None
    # A number or a word at the end of what has been read may go on.
    return (value, end) if end < len(buffer) else (None, None)
