"""JSON Lines, one object a line; and arrays of objects, as `json.dump` and pandas write them, or objects one by one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.jobs.curate import Source
from schemas.labels import MAX_LABEL
from schemas.repeated_keys import JsonObject, json_object
from workers.curate.formats.columns import LISTS, check_columns, needed_columns
from workers.curate.formats.lines import MARK, MAX_LINE, encoding_of, raw, read_head, read_lines
from workers.curate.rows import Reason, Record, Unreadable
from workers.runtime.errors import JobError

CHUNK: Final = 1 << 16
BETWEEN: Final = " \t\r\n,\ufeff"
"""What stands between values, and before and behind arrays of them."""
MAX_COLUMNS: Final = 10_000
"""Objects may name new columns in every row: so many are remembered, those of the spec long before."""
SEQUENCE: Final = "\x1e"
"""Before each text of a JSON text sequence (RFC 7464)."""


def _integer(digits: str) -> int | str:
    """One that is too long for a label is kept as it is written: it may be in a column that nobody asks for."""
    return int(digits) if len(digits) <= MAX_LABEL else digits


_DECODER: Final = json.JSONDecoder(object_pairs_hook=json_object, parse_int=_integer)


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    """JobError: a column that no record has."""
    found: dict[str, None] = {}
    readable = False
    for record in _records(path, source):
        if isinstance(record, Record):
            readable = True
            if len(found) < MAX_COLUMNS:
                found.update(dict.fromkeys(record.fields))
        yield record
    if readable:
        check_columns(source, found)


def columns(path: Path, source: Source) -> list[str]:
    """The fields of the first object."""
    records = _values(path, source) if _is_stream(path, source) else _lines(path, source)
    return next((list(record.fields) for record in records if isinstance(record, Record)), [])


def _records(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    records = _values(path, source) if _is_stream(path, source) else _lines(path, source)
    first, second = next(records, None), next(records, None)
    if first is not None and second is None:
        _check_alone(first, source)
    for record in (first, second):
        if record is not None:
            yield record
    yield from records


def _is_stream(path: Path, source: Source) -> bool:
    """Whether values are not one a line: an array, objects over several lines, or with a comma or nothing between."""
    head = read_head(path)
    text = head.decode(encoding_of(head, source.encoding), "replace").lstrip(BETWEEN)
    if not text.startswith("{"):
        return text.startswith("[")
    try:
        _, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end] or text[end:].lstrip(" \t")[:1] in (",", "{")


def _lines(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    for number, line in read_lines(path, source.encoding):
        # within a JSON value it would be escaped
        for one in line.split("\r"):
            if one.strip():
                yield _parse(number, one.lstrip(SEQUENCE), source)


def _check_alone(only: Record | Unreadable, source: Source) -> None:
    """Many tools write a whole table as one object: of columns, or with the rows in one of its fields."""
    if not isinstance(only, Record) or all(map(_is_scalar, only.fields.values())):
        return
    needed = {name for field, name in needed_columns(source).items() if field not in LISTS}
    if not all(_is_scalar(only.fields.get(name, [])) for name in needed):
        raise JobError(
            f"source {source.uri}: it is one JSON object, with the fields {', '.join(sorted(only.fields)[:20])}; "
            "expected an object a line, or an array of objects (with pandas: to_json(orient='records'))"
        )


def _is_scalar(value: object) -> bool:
    return not isinstance(value, dict | list)


def _parse(number: int, line: str, source: Source) -> Record | Unreadable:
    reason: Reason = "malformed"
    if len(line) > MAX_LINE:
        reason = "too_long"
    elif any("\udc80" <= character <= "\udcff" for character in line):
        reason = "undecodable"
    else:
        try:
            return _row(number, _DECODER.decode(line), line, source)
        except (ValueError, RecursionError):
            pass
    return Unreadable(number, reason, raw(line))


def _row(line: int, value: object, text: str, source: Source) -> Record | Unreadable:
    if not isinstance(value, JsonObject):
        return Unreadable(line, "malformed", raw(text))
    if value.repeated and not set(needed_columns(source).values()).isdisjoint(value.repeated):
        return Unreadable(line, "repeated_key", raw(text))
    return Record(line, value)


def _values(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    """Value by value, those of arrays too: the whole of it is never in memory."""
    codec = encoding_of(read_head(path), source.encoding)
    with path.open(encoding=codec, errors=MARK) as file:
        buffer, at, line, depth = file.read(CHUNK), 0, 1, 0
        while True:
            start = at
            while at < len(buffer) and (buffer[at] in BETWEEN or buffer[at] in "[]"[depth : depth + 1]):
                depth += {"[": 1, "]": -1}.get(buffer[at], 0)
                at += 1
            line += buffer.count("\n", start, at)
            value, end = _element(buffer, at)
            if end is None:
                more = file.read(CHUNK)
                if not more and at == len(buffer) and not depth:
                    return
                buffer, at = buffer[at:] + more, 0
                if len(buffer) > MAX_LINE + CHUNK:
                    raise JobError(
                        f"source {source.uri}: the value that begins in line {line} has more than {MAX_LINE} "
                        "characters, or is no JSON"
                    )
                if not more:
                    raise JobError(
                        f"source {source.uri}: the JSON breaks off, or is no JSON, in the value that begins in "
                        f"line {line}"
                    )
                continue
            raw = buffer[at:end]
            yield _row(line, value, raw, source)
            line += buffer.count("\n", at, end)
            at = end


def _element(buffer: str, at: int) -> tuple[object, int | None]:
    try:
        value, end = _DECODER.raw_decode(buffer, at)
    except (ValueError, RecursionError):
        return None, None
    # A number or a word at the end of what has been read may go on; an object or an array is whole.
    return (value, end) if end < len(buffer) or not _is_scalar(value) else (None, None)
