"""One event in every way that a stranger may write it: the same data, or a refusal in words."""

import base64
import json
from typing import Any

import pytest

from schemas.cloudevent import InboundEvent
from schemas.event_formats import BATCH, STRUCTURED, UnreadableEvent
from schemas.http_binding import inbound_from_request
from schemas.kafka_binding import KafkaMessage, inbound_events_from_message

REQUIRED = {"specversion": "1.0", "id": "n1", "source": "/mycontext", "type": "com.example.rows"}
UTF16 = '{"limit": 50}'.encode("utf-16")


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def over_http(content_type: str | None, body: bytes, **attributes: str) -> list[InboundEvent]:
    headers = [(f"ce-{name}", value) for name, value in attributes.items()]
    return inbound_from_request([*headers, *([("Content-Type", content_type)] if content_type else [])], body)


def over_kafka(content_type: str | None, body: bytes, **attributes: str) -> list[InboundEvent]:
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    given = [("content-type", content_type.encode())] if content_type else []
    return inbound_events_from_message(KafkaMessage(None, body, (*headers, *given)))


def in_all_modes(members: dict[str, Any], content_type: str | None, body: bytes) -> list[InboundEvent]:
    """Structured (alone and in a batch) from its members, binary from its body, by both protocols."""
    document = json.dumps({**REQUIRED, **members}).encode()
    found = []
    for door in (over_http, over_kafka):
        found += door(STRUCTURED, document) + door(BATCH, b"[" + document + b"]")
        found += door(content_type, body, **REQUIRED)
    assert len(found) == 6
    return found


@pytest.mark.parametrize(
    ("members", "content_type", "body", "data"),
    [
        ({"data": {"limit": 50}}, "application/json", b'{"limit": 50}', {"limit": 50}),
        ({"data_base64": coded(b'{"limit":50}')}, "application/json", b'{"limit":50}', {"limit": 50}),
        ({"data_base64": coded(b"[1]")}, "application/vnd.x+json; charset=UTF-8", b"[1]", [1]),
        ({"data_base64": coded(b"ol\xc3\xa9")}, "text/plain", b"ol\xc3\xa9", "olé"),
        ({"data_base64": coded(b"ol\xe9")}, 'text/plain; charset="ISO-8859-1"', b"ol\xe9", "olé"),
        ({"data_base64": coded(UTF16)}, "application/json; charset=utf-16", UTF16, {"limit": 50}),
        ({"data": "<a/>"}, "application/xml", b"<a/>", "<a/>"),
        ({"data_base64": coded(b"\xef\xbb\xbf{}")}, "application/json", b"\xef\xbb\xbf{}", {}),
        ({"data": None, "data_base64": coded(b"{}")}, "application/json", b"{}", {}),
        ({"data": {}, "data_base64": None}, "application/json", b"{}", {}),
        ({"data": None, "data_base64": None}, "application/json", b"", None),
    ],
)
def test_a_trigger_sees_the_same_data_in_every_encoding(
    members: dict[str, Any], content_type: str, body: bytes, data: Any
) -> None:
    for event in in_all_modes({**members, "datacontenttype": content_type}, content_type, body):
        assert event.data == data
        assert "data_base64" not in (event.model_extra or {})
        assert event.datacontenttype == content_type


def test_bytes_that_are_neither_json_nor_text_stay_bytes_in_every_encoding() -> None:
    members = {"datacontenttype": "application/x-tar", "data_base64": coded(b"\xff\x00")}
    for event in in_all_modes(members, "application/x-tar", b"\xff\x00"):
        assert event.data is None
        assert event.model_extra == {"data_base64": coded(b"\xff\x00")}


def test_bytes_of_no_content_type_stay_bytes() -> None:
    document = json.dumps({**REQUIRED, "data_base64": coded(b"\xff")}).encode()
    assert over_http(STRUCTURED, document)[0].model_extra == {"data_base64": coded(b"\xff")}


@pytest.mark.parametrize("member", ["subject", "time", "datacontenttype", "dataschema", "data", "data_base64", "unset"])
def test_null_is_absent_in_every_optional_member(member: str) -> None:
    document = {**REQUIRED, "data": {"limit": 50}, member: None}
    (event,) = over_http(STRUCTURED, json.dumps(document).encode())
    assert event.data == (None if member == "data" else {"limit": 50})
    assert event.extensions == {}


def test_the_encoding_of_older_producers_is_understood() -> None:
    members = {"datacontentencoding": "base64", "datacontenttype": "application/json", "data": coded(b"[1]")}
    (event,) = over_kafka(STRUCTURED, json.dumps({**REQUIRED, **members}).encode())
    (binary,) = over_kafka("application/json", coded(b"[1]").encode(), **REQUIRED, datacontentencoding="base64")
    assert event.data == binary.data == [1]
    assert event.extensions == binary.extensions == {}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"datacontentencoding": "gzip", "data": "x"}, "datacontentencoding: expected base64 or none, got 'gzip'"),
        ({"data_base64": "not base64!"}, "data_base64: expected a string of base64, got 'not base64!'"),
        ({"data_base64": 7}, "data_base64: expected a string of base64, got '7'"),
        ({"data_base64": coded(b"{"), "datacontenttype": "application/json"}, "data: expected JSON"),
        ({"data_base64": coded(b"\xff"), "datacontenttype": "text/plain"}, "data: expected UTF-8"),
        (
            {"data_base64": "e30=", "datacontenttype": "text/x; charset=rot13"},
            "content-type: expected a charset of utf-8",
        ),
        ({"data_base64": "e30=", "datacontenttype": "text/x; charset=klingon"}, "got 'klingon'"),
        ({"data": 1, "data_base64": "e30="}, "both data and data_base64"),
    ],
)
def test_an_encoding_that_is_not_understood_is_the_one_thing_refused(members: dict[str, Any], said: str) -> None:
    with pytest.raises(UnreadableEvent) as refused:
        over_http(STRUCTURED, json.dumps({**REQUIRED, **members}).encode())
    (problem,) = refused.value.problems
    assert said in problem


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"specversion": "1.0", "id": "1", "id": "2", "source": "/s", "type": "t"}', "id: given twice"),
        (b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": 1, "data": 2}', "data: given twice"),
        (b'{"data": ' + b"9" * 5000 + b"}", "an integer of 5000 digits, beyond 64 bits"),
        (b"null", "value: expected a JSON object with the event's attributes, got nothing"),
        (b"[]", "got a list"),
        (b'"x"', "got text"),
        (b"7", "got a number"),
    ],
)
def test_a_structured_event_that_is_none_is_refused_in_words(document: bytes, said: str) -> None:
    """Never in a library's, and never as the last of two values."""
    for door in (over_http, over_kafka):
        for content_type, body in ((STRUCTURED, document), (BATCH, b"[" + document + b"]")):
            with pytest.raises(UnreadableEvent) as refused:
                door(content_type, body)
            (problem,) = refused.value.problems
            assert said in problem
            assert "set_int_max" not in problem


def test_a_key_twice_alike_or_within_the_data_is_nobodys_business() -> None:
    document = (
        json.dumps({**REQUIRED, "data": {}}).replace("{}", '{"a": 1, "a": 2}').replace('"1.0"', '"1.0", "id": "n1"')
    )
    assert [event.data for event in over_http(STRUCTURED, document.encode())] == [{"a": 2}]


def test_two_content_types_of_one_request_are_refused() -> None:
    headers = [*((f"ce-{name}", value) for name, value in REQUIRED.items()), ("content-type", "text/plain")]
    assert len(inbound_from_request([*headers, ("Content-Type", "text/plain")], b"x")) == 1
    with pytest.raises(UnreadableEvent, match="header content-type: given twice"):
        inbound_from_request([*headers, ("Content-Type", "application/json")], b"{}")


@pytest.mark.parametrize("content_type", ["application/cloudevents+avro", "application/cloudevents+protobuf"])
def test_a_format_that_is_not_read_is_named_beside_those_that_are(content_type: str) -> None:
    for door in (over_http, over_kafka):
        with pytest.raises(UnreadableEvent) as refused:
            door(content_type, b"Obj\x01")
        (problem,) = refused.value.problems
        assert content_type in problem
        assert STRUCTURED in problem
        assert BATCH in problem


def test_an_encoded_value_on_kafka_is_refused_and_not_taken_for_the_data() -> None:
    headers = [(f"ce_{name}", value.encode()) for name, value in REQUIRED.items()]
    message = KafkaMessage(None, b"\x1f\x8b", (*headers, ("content-encoding", b"gzip"), ("content-type", b"x/y")))
    with pytest.raises(UnreadableEvent, match=r"header content-encoding: expected no encoding .* got 'gzip'"):
        inbound_events_from_message(message)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ('"a b"', "a b"),
        ('"say \\"hi\\" \\\\ there"', 'say "hi" \\ there'),
        ('"caf%C3%A9"', "café"),
        ("caf%c3%a9 %2525", "café %25"),
        ("50%", "50%"),
        ('half "quoted"', 'half "quoted"'),
        ('"open', '"open'),
        ("caf\u00c3\u00a9", "café"),  # raw UTF-8, as servers hand it on
    ],
)
def test_attributes_in_http_headers_are_unescaped(given: str, meant: str) -> None:
    (event,) = over_http("application/json", b"{}", **REQUIRED, subject=given)
    assert event.subject == meant


def test_a_batch_names_what_is_wrong_with_each_event() -> None:
    events = [REQUIRED, 7, {**REQUIRED, "type": None}, {**REQUIRED, "data": 1, "data_base64": "AA=="}]
    with pytest.raises(UnreadableEvent) as refused:
        over_kafka(BATCH, json.dumps(events).encode())
    assert [problem.split(":")[0] for problem in refused.value.problems] == ["1.value", "2.type", "3.value"]


def test_an_empty_batch_is_no_event() -> None:
    assert over_http(BATCH, b"[]") == over_kafka(BATCH, b"[]") == []


def test_of_a_body_that_was_not_read_nothing_more_is_said() -> None:
    with pytest.raises(UnreadableEvent) as refused:
        over_http(STRUCTURED, b"{oops")
    (problem,) = refused.value.problems
    assert problem.startswith("value: expected JSON")
