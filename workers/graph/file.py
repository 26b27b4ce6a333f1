"""Looks into an ONNX file before a library runs it: all that it needs must be inside it.

Its digest covers the file alone, so a graph that reads a second file would be two things under one name. The wire
format is https://protobuf.dev/programming-guides/encoding/; the numbers are those of onnx.proto3.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workers.runtime.errors import JobError

MAX_BYTES: Final = (2 << 30) - 1
"""Bytes of an ONNX graph, as protobuf itself allows for one message."""
MAX_DEPTH: Final = 64
"""Levels of nesting in an ONNX graph."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Message -> field that holds messages -> their type; a field that is not named here is skipped.
_INSIDE: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def check_graph_file(path: Path) -> None:
    """Refuses a file that is no ONNX model, and one that names another file."""
    size = path.stat().st_size
    if not 0 < size <= MAX_BYTES:
        raise JobError(f"graph {path.name} has {size} bytes, expected 1 to {MAX_BYTES}")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _check(data, 0, size, "model", 0)
        except (IndexError, ValueError) as error:
            raise JobError(f"graph {path.name} is no ONNX file: {error or 'it ends too early'}") from error


def _check(data: mmap.mmap, start: int, end: int, message: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    for field, begin, finish in _fields(data, start, end):
        if message == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and begin == finish)):
            raise JobError("the graph keeps tensors in another file; expected all of them inside it")
        if finish > begin and (inside := _INSIDE[message].get(field)):
            _check(data, begin, finish, inside, depth + 1)


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field; of a number other than zero, begin and end are equal."""
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            if value:
                yield key >> 3, at, at
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > end:
                raise ValueError("a field is longer than what it lies in")
            yield key >> 3, at, at + size
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"it has a field of wire type {kind}")
    if at != end:
        raise ValueError("a field is longer than what it lies in")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
