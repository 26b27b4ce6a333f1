"""Envelope <-> Kafka message, pure: binary mode out; binary mode, structured mode and batches in.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.cloudevent import CloudEvent, EventData, InboundEvent, isoformat
from schemas.event_formats import UnreadableEvent, batch_documents, event_fields, is_batch, is_text, structured_fields
from schemas.facts import BY_TYPE
from schemas.faults import in_words

CONTENT_TYPE: Final = "content-type"
CONTENT_ENCODING: Final = "content-encoding"
PREFIX: Final = "ce_"
Event = TypeVar("Event", bound=BaseModel)


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
    elif is_text(content_type) and isinstance(event.data, str):
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
    attributes, content_type, problems = _headers_of(message)
    return _event(CloudEvent, attributes, content_type, message.value, problems)


def inbound_events_from_message(message: KafkaMessage) -> list[InboundEvent]:
    """Somebody else's event, or a batch of them. Raises UnreadableEvent with every problem found."""
    attributes, content_type, problems = _headers_of(message)
    return inbound_events(attributes, content_type, message.value, problems)


def inbound_events(
    attributes: Mapping[str, str], content_type: str | None, body: bytes | None, problems: Sequence[str] = ()
) -> list[InboundEvent]:
    """Somebody else's events by any protocol: attributes without their prefix, in binary mode, a structured body or a
    batch, which is taken whole or not at all. Raises UnreadableEvent with every problem found, also those before.
    """
    if not is_batch(content_type):
        return [_event(InboundEvent, attributes, content_type, body, problems)]
    return _batch(content_type, body, problems)


def payload_of(event: CloudEvent) -> EventData | None:
    """The data in its own class; None when this code does not know the type.

    Raises UnreadableEvent when it is not what its type promises.
    """
    if isinstance(event.data, EventData):
        return event.data
    if (known := BY_TYPE.get(event.type)) is None:
        return None
    return _validated(known, event.data, ())


def _headers_of(message: KafkaMessage) -> tuple[dict[str, str], str | None, list[str]]:
    """Attributes, content type, and what is wrong with them."""
    attributes: dict[str, str] = {}
    content_type: str | None = None
    problems: list[str] = []
    for name, raw in message.headers:
        if name.lower() not in (CONTENT_TYPE, CONTENT_ENCODING) and not name.startswith(PREFIX):
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            problems.append(f"header {name}: expected UTF-8, got {raw[:32]!r}")
            continue
        if name.lower() == CONTENT_TYPE:
            content_type = text
        elif name.lower() == CONTENT_ENCODING:
            if text.strip().lower() not in ("", "identity"):
                problems.append(f"header {name}: expected no encoding beside Kafka's own compression, got {text!r}")
        elif name.removeprefix(PREFIX) in attributes:
            problems.append(f"header {name}: given twice")
        else:
            attributes[name.removeprefix(PREFIX)] = text
    return attributes, content_type, problems


def _event(
    model: type[Event], attributes: Mapping[str, str], content_type: str | None, body: bytes | None,
    problems: Sequence[str],
) -> Event:  # fmt: skip
    try:
        return _validated(model, event_fields(attributes, content_type, body), problems)
    except UnreadableEvent:
        raise
    except ValueError as error:
        found = [*problems, str(error)]
        if not attributes:
            raise UnreadableEvent(found) from error  # of an event that was not read nothing more can be said
        return _validated(model, attributes, found)


def _batch(content_type: str | None, body: bytes | None, problems: Sequence[str]) -> list[InboundEvent]:
    events: list[InboundEvent] = []
    found = list(problems)
    try:
        documents = batch_documents(content_type, body)
    except ValueError as error:
        raise UnreadableEvent([*found, str(error)]) from error
    for place, document in enumerate(documents):
        try:
            events.append(_validated(InboundEvent, structured_fields(document), ()))
        except UnreadableEvent as error:
            found += [f"{place}.{problem}" for problem in error.problems]
        except ValueError as error:
            found.append(f"{place}.{error}")
    if found:
        raise UnreadableEvent(found)
    return events


def _validated(model: type[Event], fields: Mapping[str, Any], problems: Sequence[str]) -> Event:
    try:
        event = model.model_validate(fields)
    except ValidationError as error:
        problems = [*problems, *(str(fault) for fault in in_words(error, fields, with_values=False))]
    if problems:
        raise UnreadableEvent(problems)
    return event
