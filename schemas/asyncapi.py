"""The generated documents: AsyncAPI 3 of everything on Kafka, and one JSON Schema a type of event and a kind of job.

`python -m schemas.asyncapi` writes them to `schemas/generated/`; a test holds the committed files to the code.
"""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from schemas.cloudevent import CloudEvent, EventData, InboundEvent
from schemas.event_formats import MAX_BATCH_EVENTS
from schemas.facts import EVENTS
from schemas.jobs import RESULTS, SPECS
from schemas.topics import DEAD_LETTER, FACT_TOPICS, INBOUND, topic_of

GENERATED: Final = Path(__file__).parent / "generated"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]


def documents() -> dict[str, Document]:
    """File name to document: everything that `schemas/generated/` holds."""
    found = {f"events/{event.TYPE}.json": _schema(event, event.TYPE) for event in EVENTS}
    found |= {f"jobs/{kind}.spec.json": _schema(spec, f"{kind} spec") for kind, spec in SPECS.items()}
    found |= {f"jobs/{kind}.result.json": _schema(result, f"{kind} result") for kind, result in RESULTS.items()}
    found["inbound.json"] = _schema(InboundEvent, "inbound event")
    found["asyncapi.json"] = asyncapi()
    return found


def asyncapi() -> Document:
    """What the control plane announces and what it hears, as AsyncAPI 3.0."""
    messages = {event.TYPE: _message(event) for event in EVENTS}
    messages["inbound"] = {
        "title": "Somebody else's event",
        "summary": _line(InboundEvent),
        "description": "CloudEvents 1.0, of any type outside `dev.graftwork.`: binary mode (then the `ce_*` headers "
        "are required), structured mode or a batch, as the header `content-type` says.",
        "headers": {"type": "object", "properties": _inbound_headers()},
        "payload": {"$ref": "#/components/schemas/inbound"},
    }
    messages["dead-letter"] = {
        "title": "A dead letter's copy",
        "summary": "Key, value and headers as they came, and `dead-letter-*` headers that say from where and why.",
        "payload": {"$ref": "#/components/schemas/anything"},
    }
    channels = {topic: _channel(topic, _types_on(topic)) for topic in FACT_TOPICS}
    channels |= {INBOUND: _channel(INBOUND, ["inbound"]), DEAD_LETTER: _channel(DEAD_LETTER, ["dead-letter"])}
    operations = {f"announce.{topic}": _operation("send", topic) for topic in (*FACT_TOPICS, DEAD_LETTER)}
    operations["hear.inbound"] = _operation("receive", INBOUND)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Graftwork events",
            "version": "1",
            "description": "CloudEvents 1.0 in Kafka's binary mode: attributes are `ce_*` headers, the value is the "
            "data as JSON, the key is the subject. Within a version of a type only optional fields are added.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": {"attributes": _attributes(), "anything": _anything(), "inbound": _inbound()},
        },
    }


def write(folder: Path = GENERATED) -> None:
    """Write every document, and remove files that no longer have one."""
    wanted = {folder / name: _text(document) for name, document in documents().items()}
    for stale in set(folder.glob("**/*.json")) - set(wanted) - {folder / "openapi.json"}:
        stale.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _text(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _schema(model: type[BaseModel], title: str) -> Document:
    # Validation mode: what a reader accepts. A writer's fields are all of them.
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(), "title": title}


def _message(event: type[EventData]) -> Document:
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": _line(event),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/attributes"},
                {"type": "object", "properties": {"ce_type": {"const": event.TYPE}}},
            ]
        },
        "payload": TypeAdapter(event).json_schema(),
        "bindings": {"kafka": {"key": {"type": "string", "description": "The subject: `<aggregate>/<id>`."}}},
    }


def _attributes() -> Document:
    """The envelope as Kafka headers."""
    schema = TypeAdapter(CloudEvent).json_schema()
    names = [name for name in schema["properties"] if name not in ("data", "datacontenttype")]
    required = [f"ce_{name}" for name in names if CloudEvent.model_fields[name].is_required()]
    return {
        "type": "object",
        "properties": {f"ce_{name}": {"type": "string"} for name in names}
        | {"content-type": {"const": "application/json"}, "ce_specversion": {"const": "1.0"}},
        "required": sorted([*required, "ce_specversion", "content-type"]),
    }


def _anything() -> Document:
    types = ["object", "array", "string", "number", "boolean", "null"]
    return {"type": types, "description": "The bytes as they came: JSON, text, or anything else."}


def _inbound() -> Document:
    event = TypeAdapter(InboundEvent).json_schema()
    return {
        "anyOf": [
            {**event, "description": "Structured mode: the event, its data beside its attributes."},
            {"type": "array", "items": event, "maxItems": MAX_BATCH_EVENTS, "description": "A batch of such events."},
            {**_anything(), "description": "Binary mode: the data, of any type."},
        ]
    }


def _inbound_headers() -> Document:
    attributes = [name for name in InboundEvent.model_fields if name not in ("data", "datacontenttype")]
    return {f"ce_{name}": {"type": "string"} for name in attributes} | {"content-type": {"type": "string"}}


def _types_on(topic: str) -> list[str]:
    return [event.TYPE for event in EVENTS if topic_of(event.TYPE) == topic]


def _channel(topic: str, messages: list[str]) -> Document:
    return {"address": topic, "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages}}


def _operation(action: str, topic: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    write()
