"""The Kafka binding: nothing is lost on the way, and what is no CloudEvent is refused in words."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevent import MAX_EVENT_BYTES, CloudEvent, FeedEvent, InboundEvent
from schemas.event_formats import MAX_BATCH_EVENTS, UnreadableEvent
from schemas.facts import JobCancelled, JobRequested
from schemas.kafka_binding import (
    KafkaMessage,
    from_message,
    inbound_events,
    inbound_events_from_message,
    inbound_to_message,
    payload_of,
    to_message,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TIME = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1))
EXTENSION = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12).filter(
    lambda name: (
        name not in {"specversion", "id", "source", "type", "subject", "time", "data", "seq"}
        and name not in {"datacontenttype", "dataschema"}
    )
)
JOB = UUID("00000000-0000-4000-8000-000000000001")
FACT = CloudEvent(
    id="1", source="graftwork", type=JobRequested.TYPE, subject=f"job/{JOB}", time=datetime(2026, 1, 2, tzinfo=UTC),
    correlationid="c", data=JobRequested(job_id=JOB, kind="train", attempt=0),
)  # fmt: skip


def inbound_from_message(one: KafkaMessage) -> InboundEvent:
    (event,) = inbound_events_from_message(one)
    return event


def message(
    value: bytes | None = b"{}", content_type: str | None = "application/json", **attributes: str
) -> KafkaMessage:
    headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
    if content_type is not None:
        headers.append(("content-type", content_type.encode()))
    return KafkaMessage(None, value, tuple(headers))


def inbound(**more: str) -> dict[str, str]:
    return {"specversion": "1.0", "id": "1", "source": "/crm", "type": "com.example.rows", **more}


@given(TEXT, TEXT, TEXT, TIME, st.none() | TEXT, st.dictionaries(TEXT, JSON, max_size=4))
def test_a_fact_survives_the_way_to_kafka_and_back(
    event_id: str, source: str, subject: str, time: datetime, cause: str | None, data: dict[str, object]
) -> None:
    event = CloudEvent.model_validate(
        {"id": event_id, "source": source, "type": "dev.graftwork.x.y.v1", "subject": subject, "time": time,
         "correlationid": event_id, "causationid": cause, "data": data}
    )  # fmt: skip
    assert from_message(to_message(event)) == event


@given(TEXT, TEXT, st.none() | TIME, st.none() | TEXT, JSON, st.dictionaries(EXTENSION, TEXT, max_size=3))
def test_somebody_elses_event_survives_both_modes(
    event_id: str, source: str, time: datetime | None, subject: str | None, data: object, extensions: dict[str, str]
) -> None:
    fields = {"specversion": "1.0", "id": event_id, "source": source, "type": "t", "time": time, "subject": subject}
    event = InboundEvent.model_validate({**fields, "datacontenttype": "application/json", "data": data, **extensions})
    structured = KafkaMessage(
        None, event.model_dump_json().encode(), (("content-type", b"application/cloudevents+json; charset=UTF-8"),)
    )
    assert inbound_from_message(inbound_to_message(event)) == event
    assert inbound_from_message(structured) == event


def test_a_fact_is_keyed_by_its_subject_and_carries_its_attributes_in_headers() -> None:
    sent = to_message(FACT)
    assert sent.key == FACT.subject.encode()
    assert dict(sent.headers) == {
        "content-type": b"application/json", "ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"graftwork",
        "ce_type": b"dev.graftwork.job.requested.v1", "ce_subject": FACT.subject.encode(),
        "ce_time": b"2026-01-02T00:00:00Z", "ce_correlationid": b"c",
    }  # fmt: skip
    assert json.loads(sent.value or b"") == {"job_id": str(JOB), "kind": "train", "attempt": 0}


def test_the_place_in_the_feed_does_not_travel() -> None:
    feed = FeedEvent.model_validate({**FACT.model_dump(mode="json"), "seq": 7})
    assert to_message(feed) == to_message(FACT)


def test_a_fact_is_parsed_by_its_type_and_a_type_of_tomorrow_is_none() -> None:
    read = from_message(to_message(FACT))
    assert payload_of(read) == FACT.data
    assert payload_of(read.model_copy(update={"type": "dev.graftwork.job.teleported.v9"})) is None
    with pytest.raises(UnreadableEvent, match="reason"):
        payload_of(read.model_copy(update={"type": "dev.graftwork.job.failed.v1"}))


def test_data_in_json_is_kept_when_the_envelope_is_read_from_json() -> None:
    read = CloudEvent.model_validate_json(FACT.model_dump_json())
    assert read.data == {"job_id": str(JOB), "kind": "train", "attempt": 0}
    assert payload_of(read) == FACT.data


def test_text_stays_text_and_bytes_become_base64() -> None:
    assert inbound_from_message(message(b"hello", "text/plain", **inbound())).data == "hello"
    blob = inbound_from_message(message(b"\xff\x00", "application/octet-stream", **inbound()))
    assert blob.model_extra == {"data_base64": base64.b64encode(b"\xff\x00").decode()}
    assert inbound_to_message(blob).value == b"\xff\x00"


def test_an_event_without_data_or_content_type_is_one() -> None:
    assert inbound_from_message(message(None, None, **inbound())).data is None
    assert inbound_from_message(message(b'{"a":1}', None, **inbound())).data == {"a": 1}


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(UnreadableEvent) as caught:
        inbound_from_message(message(b"{not json", specversion="0.3", id="1", source="/crm", time="yesterday"))
    found = "; ".join(caught.value.problems)
    assert all(word in found for word in ("specversion", "type", "time", "data: expected JSON"))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (message(b"x" * (MAX_EVENT_BYTES + 1), **inbound()), "at most 262144"),
        (message(b"\xff", **inbound()), "UTF-8"),
        (message(b"\xff", "text/plain", **inbound()), "UTF-8"),
        (message(b"[" * 100_000, **inbound()), "too deeply"),
        (message(b"[" * 70 + b"]" * 70, **inbound()), "deeper than 64"),
        (message(b'"\\u0000"', **inbound()), "U\\+0000"),
        (message(b'"\\ud800"', **inbound()), "surrogate"),
        (message(b"1e999", **inbound()), "inf is not JSON"),
        (message(b"[NaN]", **inbound()), "nan is not JSON"),
        (message(**inbound(type="dev.graftwork.job.succeeded.v1")), "only its control plane"),
        (message(**inbound(Bad_Name="x")), "lower-case letters and digits"),
        (message(b"[]", "application/cloudevents+json"), "JSON object"),
        (message(b"{}", "application/cloudevents-batch+json"), "expected a JSON array of events, got an object"),
        (message(b"[{}," + b"{}," * MAX_BATCH_EVENTS + b"{}]", "application/cloudevents-batch+json"), "at most 1000"),
        (message(b"x", "application/cloudevents+avro"), "cloudevents\\+json, application/cloudevents-batch\\+json or"),
        (message(b'{"data":1,"data_base64":"AA=="}', "application/cloudevents+json"), "expected one"),
        (KafkaMessage(None, b"{}", (("ce_id", b"1"), ("ce_id", b"2"))), "header ce_id: given twice"),
        (KafkaMessage(None, b"{}", (("ce_id", b"\xff"),)), "header ce_id: expected UTF-8"),
        (KafkaMessage(None, None, ()), "source"),
    ],
)
def test_what_is_no_event_is_refused_in_words(bad: KafkaMessage, expected: str) -> None:
    with pytest.raises(UnreadableEvent, match=expected):
        inbound_from_message(bad)


@given(
    st.binary(max_size=60), st.lists(st.tuples(st.sampled_from(["ce_id", "content-type", "ce_type", "x"]), st.binary()))
)
def test_any_bytes_are_an_event_or_unreadable_and_nothing_else(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    with suppress(UnreadableEvent):
        assert inbound_from_message(KafkaMessage(None, value, tuple(headers))).id


def test_other_protocols_read_by_the_same_rules() -> None:
    (event,) = inbound_events(inbound(), "application/json", b"[1]")
    assert event.data == [1]


def test_cancelled_jobs_round_trip_too() -> None:
    event = FACT.model_copy(update={"type": JobCancelled.TYPE, "data": JobCancelled(job_id=JOB, kind="k", attempt=1)})
    assert payload_of(from_message(to_message(event))) == event.data
