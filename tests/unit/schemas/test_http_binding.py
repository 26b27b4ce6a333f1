"""CloudEvents over HTTP: binary and structured mode in."""

import json
from typing import Any

import pytest

from schemas.event_formats import UnreadableEvent
from schemas.http_binding import inbound_from_request

ATTRIBUTES = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "shop", "ce-type": "batch.ready"}


def read(body: bytes, **headers: str) -> Any:
    (event,) = inbound_from_request([(name.replace("_", "-"), value) for name, value in headers.items()], body)
    return event


def test_binary_mode() -> None:
    event = read(b'{"n": 1}', content_type="application/json", Ce_Subject="caf%C3%A9 %25", **ATTRIBUTES)
    assert (event.id, event.source, event.type, event.data) == ("1", "shop", "batch.ready", {"n": 1})
    assert event.subject == "café %"
    assert event.correlationid == "1"


def test_structured_mode() -> None:
    document = {"specversion": "1.0", "id": "1", "source": "shop", "type": "x", "data": {"n": 1}, "correlationid": "j"}
    event = read(json.dumps(document).encode(), content_type="application/cloudevents+json; charset=utf-8")
    assert event.data == {"n": 1}
    assert event.correlationid == "j"


def test_both_modes_are_the_same_event() -> None:
    document = {name.removeprefix("ce-"): value for name, value in ATTRIBUTES.items()} | {"data": [1]}
    structured = read(json.dumps(document).encode(), content_type="application/cloudevents+json")
    binary = read(b"[1]", content_type="application/json", **ATTRIBUTES)
    assert binary.model_dump(exclude={"datacontenttype"}) == structured.model_dump(exclude={"datacontenttype"})


def test_no_body_is_no_data() -> None:
    assert read(b"", **ATTRIBUTES).data is None


def test_bytes_travel_as_base64() -> None:
    event = read(b"\xff", content_type="application/octet-stream", **ATTRIBUTES)
    assert event.data is None
    assert event.model_extra == {"data_base64": "/w=="}


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"{}", {"content_type": "application/json"}, "send binary mode, structured mode as"),
        (b"{}", {"content_type": "application/cloudevents+json"}, "source: expected a value: it is required"),
        (b"[1]", {"content_type": "application/cloudevents-batch+json"}, "0.value: expected a JSON object"),
        (b"{", {"content_type": "application/json", **ATTRIBUTES}, "expected JSON"),
        (b"{}", {**ATTRIBUTES, "ce-type": "dev.graftwork.job.failed.v1"}, "Graftwork's own"),
        (b"{}", {**ATTRIBUTES, "ce-specversion": "0.3"}, "specversion"),
        (b"{}", {**ATTRIBUTES, "ce-id": "%FF"}, "percent-encoded in UTF-8"),
        (b"{}", {**ATTRIBUTES, "Ce-Id": "2"}, "given twice"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(body: bytes, headers: dict[str, str], said: str) -> None:
    with pytest.raises(UnreadableEvent) as refused:
        read(body, **headers)
    assert said in str(refused.value)
