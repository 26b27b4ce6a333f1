"""The envelope: CloudEvents 1.0, once for our own facts and once, permissively, for other people's events.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from schemas.base import Tolerant

OUR_PREFIX = "dev.graftwork."
MAX_EVENT_BYTES = 256 * 1024

#: Attributes that CloudEvents defines; everything else on an envelope is an extension.
CORE_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"}
)


class EventData(Tolerant):
    """The base of every payload that the control plane announces."""

    TYPE: ClassVar[str]


class CloudEvent(BaseModel):
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
    data: SerializeAsAny[EventData] | dict[str, JsonValue]


class FeedEvent(CloudEvent):
    """A fact as the event feed answers it: with its place in the one order."""

    seq: int
    data: dict[str, JsonValue]


class InboundEvent(BaseModel):
    """Somebody else's event: only what CloudEvents requires is required; any type, any data, any extension."""

    model_config = ConfigDict(frozen=True, extra="allow")

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=255)
    source: str = Field(min_length=1, max_length=1024)
    type: str = Field(min_length=1, max_length=255)
    subject: str | None = Field(default=None, max_length=1024)
    time: AwareDatetime | None = None
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

    @property
    def extensions(self) -> dict[str, str | int | bool]:
        """Extension attributes, such as `correlationid`."""
        return {k: v for k, v in (self.model_extra or {}).items() if k not in CORE_ATTRIBUTES}

    @property
    def correlationid(self) -> str:
        return str(self.extensions.get("correlationid") or self.id)


def isoformat(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, as CloudEvents writes a timestamp."""
    return moment.isoformat().replace("+00:00", "Z")
