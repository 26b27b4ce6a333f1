"""The envelope: CloudEvents 1.0, once for our own facts and once, permissively, for other people's events.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import base64
from datetime import datetime
from math import isfinite
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    JsonValue,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from schemas.base import Described, Moment, Tolerant

OUR_PREFIX = "dev.graftwork."
MAX_EVENT_BYTES = 256 * 1024
"""Bytes of an event's data, whoever sends it."""
MAX_DEPTH = 64
"""Levels of nesting in somebody else's data."""

#: Attributes that CloudEvents defines; everything else on an envelope is an extension.
CORE_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}
)


class EventData(Tolerant):
    """The base of every payload that the control plane announces."""

    TYPE: ClassVar[str]


class CloudEvent(Described):
    """A fact of ours, as it travels."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    """`<aggregate>/<id>`: also the Kafka key, so that one aggregate keeps its order."""
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    correlationid: str
    """The same along one journey."""
    causationid: str | None = None
    """The id of the event that led to this one."""
    # the dict first: read from JSON, EventData would take any object and drop all of it
    data: dict[str, JsonValue] | SerializeAsAny[EventData] = Field(union_mode="left_to_right")


class FeedEvent(CloudEvent):
    """A fact as the event feed answers it: with its place in the one order."""

    seq: int
    data: dict[str, JsonValue]


class InboundEvent(Described):
    """Somebody else's event: only what CloudEvents requires is required; any type, any data, any extension."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=255)
    source: str = Field(min_length=1, max_length=1024)
    type: str = Field(min_length=1, max_length=255)
    subject: str | None = Field(default=None, max_length=1024)
    time: Moment | None = None
    datacontenttype: str | None = None
    data: Any = None

    @field_validator("type")
    @classmethod
    def _is_not_ours(cls, value: str) -> str:
        if value.startswith(OUR_PREFIX):
            raise ValueError(
                f"the prefix {OUR_PREFIX!r} is Graftwork's own: only its control plane announces such facts"
            )
        return value

    @model_validator(mode="after")
    def _extensions_are_named_by_the_specification(self) -> Self:
        for name, value in self.extensions.items():
            if not (name.isascii() and name.isalnum() and name == name.lower()):
                raise ValueError(f"extension attribute {name!r}: lower-case letters and digits only")
            if not isinstance(value, str | int | bool):
                raise ValueError(f"extension attribute {name!r}: expected a string, an integer or a boolean")
        return self

    @model_validator(mode="after")
    def _bytes_are_base64(self) -> Self:
        encoded = (self.model_extra or {}).get("data_base64", "")
        try:
            base64.b64decode(encoded, validate=True)
        except (TypeError, ValueError) as error:
            raise ValueError("data_base64: expected a string of base64") from error
        return self

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        values = {**self.model_dump(exclude={"data", "time"}), "data": self.data}
        for name, value in values.items():
            if problem := _unstorable(value):
                raise ValueError(f"{name}: {problem}")
        return self

    @property
    def extensions(self) -> dict[str, str | int | bool]:
        """Extension attributes, such as `correlationid`."""
        return {k: v for k, v in (self.model_extra or {}).items() if k not in CORE_ATTRIBUTES}

    @property
    def correlationid(self) -> str:
        return str(self.extensions.get("correlationid") or self.id)


def _unstorable(value: object) -> str | None:
    """Why a value is no JSON that every database can hold, or None. Iterative: a stranger chooses the depth."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(item, dict):
            waiting.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list | tuple):
            waiting.extend((part, depth + 1) for part in item)
        elif problem := _unstorable_scalar(item):
            return problem
    return None


def _unstorable_scalar(item: object) -> str | None:
    if isinstance(item, str):
        bad = "\0" in item or any("\ud800" <= c <= "\udfff" for c in item)
        return "a string holds U+0000 or half of a surrogate pair, which no database can store" if bad else None
    if isinstance(item, float) and not isfinite(item):
        return f"{item} is not JSON"
    if item is not None and not isinstance(item, int | float):
        return f"{type(item).__name__} is not JSON"
    return None


def isoformat(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, as CloudEvents writes a timestamp."""
    return moment.isoformat().replace("+00:00", "Z")
