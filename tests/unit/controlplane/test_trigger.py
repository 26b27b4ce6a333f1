"""One trigger, one event: the answer and its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlplane.domain.canonical import digest
from controlplane.domain.trigger import (
    LONGEST_KEY,
    MOST_DEFERRED,
    Pace,
    check_trigger,
    match,
    pace_refusal,
    with_deferred,
)
from controlplane.errors import Invalid
from schemas.pipelines import PipelineSpec, TriggerSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "source": "shop",
    "id": "1",
    "type": "batch.ready",
    "subject": "reviews",
    "data": {"uri": "s3://x", "n": 1, "ok": True, "big": "x" * 999},
}


PIPELINE = PipelineSpec.model_validate({"name": "p", "params": {"uri": ""}, "stages": {"a": {"kind": "curate"}}})


def trigger(**values: Any) -> TriggerSpec:
    base = {"name": "t", "pipeline": "p", "types": ["batch.ready"], "sources": ["shop"]}
    return TriggerSpec.model_validate({**base, **values})


CHANGE = "if it should fire, change the event or the trigger's `where`"
CORRECT = "correct the event, or the trigger's `params` and `dedupe_key`"
HAS = "event.data has no {!r} (it has: big, n, ok, uri)"


@pytest.mark.parametrize(
    ("values", "outcome", "reason"),
    [
        ({}, "fired", ""),
        (
            {"enabled": False},
            "disabled",
            "trigger 't' is disabled; set `enabled: true` and apply it, then send the event again",
        ),
        (
            {"sources": ["other", "third"]},
            "source_not_accepted",
            "source 'shop' is not one of other, third; `sources` lists those that may",
        ),
        ({"where": {"data.uri": "s3://y"}}, "condition_not_met", f"data.uri is 's3://x', expected 's3://y'; {CHANGE}"),
        ({"where": {"data.bucket": "y"}}, "condition_not_met", f"data.bucket is not there, expected 'y'; {CHANGE}"),
        ({"where": {"data.ok": 1}}, "condition_not_met", f"data.ok is True, expected 1; {CHANGE}"),
        ({"where": {"data.n": True}}, "condition_not_met", f"data.n is 1, expected True; {CHANGE}"),
        ({"where": {"data.n": 1.0, "subject": "reviews"}}, "fired", ""),
        ({"where": {"subject": "reviews", "data.n": 2}}, "condition_not_met", f"data.n is 1, expected 2; {CHANGE}"),
        (
            {"where": {"data.big": "y" * 78}},
            "condition_not_met",
            f"data.big is '{'x' * 78}…, expected '{'y' * 78}'; {CHANGE}",
        ),
        (
            {"where": {"data.ok": "y" * 79}},
            "condition_not_met",
            f"data.ok is True, expected '{'y' * 78}…; {CHANGE}",
        ),
        (
            {"dedupe_key": "${event.data.digest}"},
            "invalid",
            f"${{event.data.digest}} cannot be resolved: {HAS.format('digest')}; {CORRECT}",
        ),
        (
            {"params": {"uri": "${event.data.url}"}},
            "invalid",
            f"${{event.data.url}} cannot be resolved: {HAS.format('url')}; {CORRECT}",
        ),
        ({"debounce_seconds": 30}, "debouncing", "waits 30 s for a later match"),
    ],
)
def test_every_answer_has_its_reason(values: dict[str, Any], outcome: str, reason: str) -> None:
    answer = match(trigger(**values), EVENT)
    assert (answer.outcome, answer.reason) == (outcome, reason)


def test_a_trigger_that_waits_for_more_has_its_key_and_params() -> None:
    answer = match(trigger(debounce_seconds=30, dedupe_key="${event.subject}", params={"n": "${event.data.n}"}), EVENT)
    assert (answer.outcome, answer.dedupe_key, answer.params) == ("debouncing", "reviews", {"n": 1})


def test_a_run_sees_how_many_events_waited_before_it_and_which() -> None:
    first = with_deferred({"source": "s", "id": "1", "type": "t", "data": 1}, None)
    assert first == {"source": "s", "id": "1", "type": "t", "data": 1, "deferred": {"count": 0, "events": []}}
    second = with_deferred({"source": "s", "id": "2", "type": "t"}, first)
    third = with_deferred({"source": "s", "id": "3", "type": "t"}, second)
    assert third == {
        "source": "s",
        "id": "3",
        "type": "t",
        "deferred": {"count": 2, "events": [{"source": "s", "id": n, "type": "t"} for n in ("1", "2")]},
    }


def test_of_very_many_deferred_events_the_newest_are_named_and_all_are_counted() -> None:
    event: dict[str, Any] | None = None
    for number in range(MOST_DEFERRED + 3):
        event = with_deferred({"source": "s", "id": str(number), "type": "t"}, event)
    assert event is not None
    assert event["deferred"]["count"] == MOST_DEFERRED + 2
    assert [one["id"] for one in event["deferred"]["events"]] == [str(n) for n in range(2, MOST_DEFERRED + 2)]


def test_params_come_from_the_event_and_keep_their_type() -> None:
    answer = match(trigger(params={"n": "${event.data.n}", "note": "from ${event.source}"}), EVENT)
    assert answer.params == {"n": 1, "note": "from shop"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [(None, "shop 1"), ("${event.data.uri}", "s3://x"), ("${event.subject}/${event.data.n}", "reviews/1")],
)
def test_the_dedupe_key_is_the_events_identity_or_what_the_trigger_says(key: str | None, expected: str) -> None:
    assert match(trigger(dedupe_key=key), EVENT).dedupe_key == expected


def test_a_key_that_no_index_could_hold_becomes_its_digest() -> None:
    for path in ("data.big", "data"):
        answer = match(trigger(dedupe_key=f"${{event.{path}}}"), EVENT)
        assert answer.dedupe_key == digest(EVENT["data"]["big"] if path == "data.big" else EVENT["data"])


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_KEY, True), (LONGEST_KEY + 1, False)])
def test_so_long_a_key_is_kept_as_it_is(length: int, kept: bool) -> None:
    answer = match(trigger(dedupe_key="${event.subject}"), {**EVENT, "subject": "x" * length})
    assert (answer.dedupe_key == "x" * length) is kept


@pytest.mark.parametrize(
    ("seconds_ago", "fired", "outcome"),
    [(None, 0, None), (59.5, 1, "cooldown"), (60, 1, None), (61, 3, "budget"), (5, 3, "cooldown")],
)
@pytest.mark.parametrize(("mode", "cooling"), [("drop", "cooldown"), ("defer", "deferred")])
def test_pace(seconds_ago: float | None, fired: int, outcome: str | None, mode: str, cooling: str) -> None:
    last = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    refusal = pace_refusal(trigger(cooldown_seconds=60, cooldown_mode=mode, daily_budget=3), Pace(NOW, last, fired))
    assert (refusal.outcome if refusal else None) == (cooling if outcome == "cooldown" else outcome)
    if refusal and last:
        assert refusal.until == (last + timedelta(seconds=60) if refusal.outcome == "deferred" else None)
        assert "; " in refusal.reason or "nothing is to be done" in refusal.reason


COOLING = "fired less than 60 s ago; 48 s are left"


@pytest.mark.parametrize(
    ("mode", "seconds_ago", "reason"),
    [
        (
            "drop",
            12.4,
            f"{COOLING}; send the event again afterwards, or set `cooldown_mode: defer` to fire at its end",
        ),
        ("defer", 12.4, f"{COOLING}: fires then, once, with the newest event; nothing is to be done"),
        (
            "defer",
            60,
            "fired 3 times in 24 hours, the budget is 3; "
            "raise `daily_budget` and send the event again, or start the pipeline 'p' by hand",
        ),
    ],
)
def test_a_refusal_of_pace_says_why_and_what_to_do(mode: str, seconds_ago: float, reason: str) -> None:
    spec = trigger(cooldown_seconds=60, cooldown_mode=mode, daily_budget=3)
    refusal = pace_refusal(spec, Pace(NOW, NOW - timedelta(seconds=seconds_ago), 3))
    assert refusal is not None
    assert refusal.reason == reason
    assert (refusal.dedupe_key, refusal.params) == (None, {})


@pytest.mark.parametrize(
    ("values", "said", "field"),
    [
        ({"params": {"rows": 1}}, "pipeline 'p' has no param 'rows'; it has: uri", "params"),
        (
            {"params": {"uri": "${stages.a.dataset}"}},
            "${stages.a.dataset}: a trigger may read ${event.…} only",
            "params.uri",
        ),
        ({"dedupe_key": "${params.uri}"}, "${params.uri}: a trigger may read ${event.…} only", "dedupe_key"),
        (
            {"params": {"uri": "from ${event.dat.offset} on"}},
            "${event.dat.offset}: an event has no 'dat'; expected one of data, deferred; did you mean 'data'?",
            "params.uri",
        ),
        ({"dedupe_key": "${event.subject.name}"}, "${event.subject.name}: subject is a single value", "dedupe_key"),
        (
            {"params": {"uri": ["${event.deferred.cuont}"]}},
            "${event.deferred.cuont}: deferred has no 'cuont'; expected one of count, events; did you mean 'count'?",
            "params.uri",
        ),
        (
            {"where": {"Subject": "x"}},
            "Subject: an event has no 'Subject'; expected one of data, data_base64, datacontenttype, dataschema, "
            "deferred, id, source, specversion, subject, time, type; did you mean 'subject'?",
            "where",
        ),
        (
            {"where": {"dta.bucket": "x"}},
            "dta.bucket: an event has no 'dta'; expected one of data, deferred; did you mean 'data'?",
            "where",
        ),
        (
            {"types": ["dev.graftwork.job.failed.v1"], "where": {"data.knd": "train"}},
            "data.knd: the data of dev.graftwork.job.failed.v1 has no 'knd'; expected one of attempt, job_id, kind, "
            "reason; did you mean 'kind'?",
            "where",
        ),
        (
            {"types": ["dev.graftwork.job.started.v1", "dev.graftwork.job.failed.v1"], "where": {"data.zzz": "train"}},
            "data.zzz: the data of dev.graftwork.job.started.v1 and dev.graftwork.job.failed.v1 has no 'zzz'; expected "
            "one of attempt, job_id, kind, owner, reason",
            "where",
        ),
        (
            {"types": ["dev.graftwork.job.failed.v1"], "dedupe_key": "${event.digest}"},
            "${event.digest}: an event has no 'digest'; expected one of causationid, correlationid, data, "
            "datacontenttype, deferred, id, seq, source, specversion, subject, time, type",
            "dedupe_key",
        ),
        (
            {"types": ["batch.ready", "dev.graftwork.dataset.version_create.v1"]},
            "there is no fact 'dev.graftwork.dataset.version_create.v1'; "
            "did you mean 'dev.graftwork.dataset.version_created.v1'?",
            "types",
        ),
        ({"types": ["dev.graftwork." + "z" * 60]}, f"there is no fact 'dev.graftwork.{'z' * 60}'", "types"),
    ],
)
def test_what_could_never_fire_is_refused(values: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_trigger(trigger(**values), PIPELINE)
    assert (refused.value.detail, refused.value.field) == (said, field)


def test_what_could_fire_is_taken() -> None:
    check_trigger(trigger(params={"uri": "${event.data.uri}"}, types=["x", "dev.graftwork.job.failed.v1"]), PIPELINE)
    facts = ["dev.graftwork.job.failed.v1", "dev.graftwork.dataset.version_created.v1"]
    check_trigger(trigger(where={"data.kind": "train", "data.rows.train": 3}, types=facts), PIPELINE)
    read = "${event.tenant} ${event.deferred.events.0.id} ${event.data} ${event.time} ${event.data.a.b-c.0}"
    check_trigger(trigger(params={"uri": read}, where={"data.x.y": 1, "region7": "eu"}), PIPELINE)
