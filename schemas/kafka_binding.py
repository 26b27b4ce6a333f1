"""Envelope <-> Kafka message, pure: binary mode out, binary and structured mode in.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.cloudevent import MAX_EVENT_BYTES, CloudEvent, EventData, InboundEvent, isoformat
from schemas.events import BY_TYPE

CONTENT_TYPE: Final = "content-type"
PREFIX: Final = "ce_"
STRUCTURED: Final = "application/cloudevents+json"
JSON_MEDIA: Final = re.compile(r"^[a-z0-9.+-]+/([a-z0-9.+-]+\+)?json$")
Event = TypeVar("Event", bound=BaseModel)


class UnreadableEvent(ValueError):
    """A message that is no CloudEvent: every problem found in it, not only the first."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True)
class KafkaMessage:
    """What any Kafka client can send and receive."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


# --- out ----------------------------------------------------------------------------------------------------------


def to_message(event: CloudEvent) -> KafkaMessage:
    """A fact of ours in binary mode. Its key is its subject, so that one aggregate keeps its order."""
    data = event.data.model_dump(mode="json") if isinstance(event.data, EventData) else event.data
    return fact_message(
        Fact(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=event.subject,
            time=event.time,
            correlationid=event.correlationid,
            causationid=event.causationid,
            data=_json_bytes(data),
        )
    )


class Fact(NamedTuple):
    """What a fact is made of, in the envelope's order; valid since it was recorded, so nothing is checked again."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    correlationid: str
    causationid: str | None
    data: bytes
    """JSON."""


def fact_message(fact: Fact) -> KafkaMessage:
    """The same message that `to_message` makes of its envelope, without building one."""
    subject = fact.subject.encode()
    headers: tuple[tuple[str, bytes], ...] = (
        (CONTENT_TYPE, b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", fact.id.encode()),
        ("ce_source", fact.source.encode()),
        ("ce_type", fact.type.encode()),
        ("ce_subject", subject),
        ("ce_time", isoformat(fact.time).encode()),
        ("ce_correlationid", fact.correlationid.encode()),
    )
    if fact.causationid is not None:
        headers = (*headers, ("ce_causationid", fact.causationid.encode()))
    return KafkaMessage(subject, fact.data, headers)


def inbound_to_message(event: InboundEvent) -> KafkaMessage:
    """Somebody else's event in binary mode, as a publisher would send it to `graftwork.inbound`."""
    attributes = event.model_dump(exclude={"data", "data_base64", "datacontenttype"}, exclude_none=True)
    content_type = event.datacontenttype or "application/json"
    if (encoded := (event.model_extra or {}).get("data_base64")) is not None:
        value: bytes | None = base64.b64decode(encoded)
        content_type = event.datacontenttype or "application/octet-stream"
    elif _is_text(content_type) and isinstance(event.data, str):
        value = event.data.encode()
    else:
        value = None if event.data is None else _json_bytes(event.data)
    return KafkaMessage((event.subject or event.id).encode(), value, _headers(attributes, content_type))


def _headers(attributes: Mapping[str, Any], content_type: str) -> tuple[tuple[str, bytes], ...]:
    fields = [(CONTENT_TYPE, content_type)]
    for name, value in attributes.items():
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = isoformat(value) if hasattr(value, "isoformat") else str(value)
        fields.append((PREFIX + name, text))
    return tuple((name, text.encode()) for name, text in fields)


def _json_bytes(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


# --- in -----------------------------------------------------------------------------------------------------------


def from_message(message: KafkaMessage) -> CloudEvent:
    """A fact of ours, its data unparsed: readers skip types that they do not know.

    Raises UnreadableEvent with every problem found.
    """
    return _validated(CloudEvent, *_attributes_of(message))


def inbound_from_message(message: KafkaMessage) -> InboundEvent:
    """Somebody else's event. Raises UnreadableEvent with every problem found."""
    return _validated(InboundEvent, *_attributes_of(message))


def inbound_event(attributes: Mapping[str, str], content_type: str | None, body: bytes | None) -> InboundEvent:
    """Somebody else's event by any protocol: attributes without their prefix, in binary mode, or a structured body."""
    return _validated(InboundEvent, *_fields(attributes, content_type, body))


def payload_of(event: CloudEvent) -> EventData | None:
    """The data in its own class; None when this code does not know the type.

    Raises UnreadableEvent when it is not what its type promises.
    """
    if isinstance(event.data, EventData):
        return event.data
    if (known := BY_TYPE.get(event.type)) is None:
        return None
    return _validated(known, event.data, [])


def _attributes_of(message: KafkaMessage) -> tuple[dict[str, Any], list[str]]:
    attributes: dict[str, str] = {}
    content_type: str | None = None
    problems: list[str] = []
    for name, raw in message.headers:
        if name != CONTENT_TYPE and not name.startswith(PREFIX):
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            problems.append(f"header {name}: expected UTF-8, got {raw[:32]!r}")
            continue
        if name == CONTENT_TYPE:
            content_type = text
        elif name.removeprefix(PREFIX) in attributes:
            problems.append(f"header {name}: given twice")
        else:
            attributes[name.removeprefix(PREFIX)] = text
    fields, more = _fields(attributes, content_type, message.value)
    return fields, problems + more


def _fields(
    attributes: Mapping[str, str], content_type: str | None, body: bytes | None
) -> tuple[dict[str, Any], list[str]]:
    if body is not None and len(body) > MAX_EVENT_BYTES:
        return dict(attributes), [f"value: {len(body)} bytes, at most {MAX_EVENT_BYTES} are accepted"]
    media = (content_type or "").partition(";")[0].strip().lower()
    try:
        if media == STRUCTURED:
            return _structured(body), []
        if media.startswith("application/cloudevents"):
            raise ValueError(f"content-type: expected {STRUCTURED} or the data's own type, got {content_type!r}")
        return {**attributes, **_data(media, content_type, body)}, []
    except ValueError as error:
        return dict(attributes), [str(error)]


def _structured(body: bytes | None) -> dict[str, Any]:
    document = _json(body or b"")
    if not isinstance(document, dict):
        raise ValueError(f"value: expected a JSON object with the event's attributes, got {type(document).__name__}")
    if "data" in document and "data_base64" in document:
        raise ValueError("value: both data and data_base64 are given, expected one")
    return document


def _data(media: str, content_type: str | None, body: bytes | None) -> dict[str, Any]:
    fields: dict[str, Any] = {} if content_type is None else {"datacontenttype": content_type}
    if not body:
        return fields
    if media == "" or JSON_MEDIA.match(media):
        return {**fields, "data": _json(body)}
    if _is_text(media):
        try:
            return {**fields, "data": body.decode()}
        except UnicodeDecodeError as error:
            raise ValueError(f"value: {content_type} must be UTF-8, {error.reason} at byte {error.start}") from error
    return {**fields, "data_base64": base64.b64encode(body).decode()}


def _is_text(content_type: str) -> bool:
    return content_type.lower().startswith("text/")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"value: expected JSON in UTF-8, {error.reason} at byte {error.start}") from error
    except RecursionError:
        raise ValueError("value: JSON nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"value: expected JSON, {error}") from error


def _validated(model: type[Event], fields: Mapping[str, Any], problems: list[str]) -> Event:
    try:
        event = model.model_validate(fields)
    except ValidationError as error:
        problems = [*problems, *(_in_words(e["loc"], e["msg"]) for e in error.errors())]
    if problems:
        raise UnreadableEvent(problems)
    return event


def _in_words(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    return f"{where}: {message}" if where else message
