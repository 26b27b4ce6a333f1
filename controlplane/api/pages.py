"""Cursor pagination: stable under inserts, because a cursor names a row and not an offset."""

import base64
import json
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

from controlplane.domain.document import refuse_unstorable
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
        position = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise Invalid("this cursor was not given out by this API", field="cursor") from error
    if not isinstance(position, list) or [type(part) for part in position] != list(types):
        raise Invalid("this cursor belongs to another list", field="cursor")
    refuse_unstorable(position, "cursor")
    return tuple(position)


def decode_moment(cursor: str | None) -> tuple[datetime, UUID] | None:
    """A cursor of a list that goes by time and then by id."""
    if (position := decode_cursor(cursor, str, str)) is None:
        return None
    return _moment(str(position[0])), as_id(str(position[1]))


def as_id(part: str) -> UUID:
    """A part of a cursor that is an id. Raises Invalid when it is none."""
    try:
        return UUID(part)
    except ValueError as error:
        raise Invalid("this cursor belongs to another list", field="cursor") from error


def _moment(part: str) -> datetime:
    try:
        moment = datetime.fromisoformat(part)
    except ValueError as error:
        raise Invalid("this cursor belongs to another list", field="cursor") from error
    if moment.tzinfo is None:
        raise Invalid("this cursor belongs to another list", field="cursor")
    return moment
