"""JSON objects that know which of their keys stand there twice: of two values nobody can say which one was meant."""

from collections.abc import Sequence
from typing import Any


class JsonObject(dict[str, Any]):
    """A JSON object that knows which of its keys were repeated. Where one has several values, it holds the last."""

    repeated: Sequence[str] = ()
    """Written more than once, with different values."""


def json_object(pairs: Sequence[tuple[str, Any]]) -> JsonObject:
    found = JsonObject(pairs)
    if len(found) < len(pairs):
        found.repeated = sorted({name for name, value in pairs if found[name] != value})
    return found
