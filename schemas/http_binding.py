"""HTTP request -> envelope, pure: binary mode by `ce-*` headers, structured mode by its media type.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from schemas.cloudevent import InboundEvent
from schemas.kafka_binding import STRUCTURED, UnreadableEvent, inbound_event

PREFIX: Final = "ce-"


def inbound_from_request(headers: Iterable[tuple[str, str]], body: bytes) -> InboundEvent:
    """Somebody else's event. Raises UnreadableEvent with every problem found."""
    attributes: dict[str, str] = {}
    content_type: str | None = None
    for name, value in ((name.lower(), value) for name, value in headers):
        if name == "content-type":
            content_type = value
        elif name.startswith(PREFIX):
            attribute = name.removeprefix(PREFIX)
            if attribute in attributes:
                raise UnreadableEvent([f"header {name}: given twice"])
            attributes[attribute] = _decoded(name, value)
    if not attributes and not (content_type or "").lower().startswith("application/cloudevents"):
        found = f"no `ce-*` header and content-type {content_type!r}"
        raise UnreadableEvent([f"{found}: send binary mode, or structured mode as {STRUCTURED}"])
    return inbound_event(attributes, content_type, body or None)


def _decoded(name: str, value: str) -> str:
    """Header values are percent-encoded UTF-8 (section 3.1.3.2)."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise UnreadableEvent([f"header {name}: percent-encoded bytes are not UTF-8: {error.reason}"]) from error
