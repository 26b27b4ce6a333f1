"""Cursor pagination: stable under inserts, because a cursor names a row and not an offset."""

import base64
import json
from typing import Annotated, TypeVar

from fastapi import Query

from controlplane.errors import Invalid

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]


def encode_cursor(*position: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def decode_cursor(cursor: str | None, *types: type) -> tuple[str | int, ...] | None:
    """The position a cursor names. Raises Invalid for one that we never gave out."""
    if cursor is None:
        return None
    try:
        position = tuple(json.loads(base64.urlsafe_b64decode(cursor.encode())))
    except ValueError as error:
        raise Invalid("this cursor was not given out by this API", field="cursor") from error
    if len(position) != len(types) or not all(isinstance(p, t) for p, t in zip(position, types, strict=True)):
        raise Invalid("this cursor belongs to another list", field="cursor")
    return position
