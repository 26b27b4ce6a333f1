"""HTTP request -> envelopes, pure: binary mode by `ce-*` headers, structured mode and batches by their media type.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from schemas.cloudevent import InboundEvent
from schemas.event_formats import BATCH, STRUCTURED, UnreadableEvent, media_type
from schemas.kafka_binding import inbound_events

PREFIX: Final = "ce-"
QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
ESCAPED: Final = re.compile(r"\\(.)")


def inbound_from_request(headers: Iterable[tuple[str, str]], body: bytes) -> list[InboundEvent]:
    """Somebody else's event, or a batch of them. Raises UnreadableEvent with every problem found."""
    attributes: dict[str, str] = {}
    content_type: str | None = None
    for name, value in ((name.lower(), value) for name, value in headers):
        if name == "content-type":
            if content_type is not None and content_type != value:
                raise UnreadableEvent(["header content-type: given twice"])
            content_type = value
        elif name.startswith(PREFIX):
            attribute = name.removeprefix(PREFIX)
            if attribute in attributes:
                raise UnreadableEvent([f"header {name}: given twice"])
            attributes[attribute] = _decoded(name, value)
    if not attributes and not media_type(content_type).startswith("application/cloudevents"):
        found = f"no `ce-*` header and content-type {content_type!r}"
        expected = f"send binary mode, structured mode as {STRUCTURED}, or a batch as {BATCH}"
        raise UnreadableEvent([f"{found}: {expected}"])
    return inbound_events(attributes, content_type, body or None)


def _decoded(name: str, value: str) -> str:
    """Header values may be quoted strings, and are percent-encoded UTF-8 (section 3.1.3.2, in this order)."""
    if quoted := QUOTED.fullmatch(value.strip()):
        value = ESCAPED.sub(r"\1", quoted[1])
    try:
        # a server hands bytes on as latin-1
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise UnreadableEvent(
            [f"header {name}: expected ASCII, and other characters percent-encoded in UTF-8"]
        ) from error
    except UnicodeEncodeError:
        return value
