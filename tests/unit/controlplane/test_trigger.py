"""One trigger, one event: the answer and its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controlplane.domain.trigger import Pace, check_trigger, match, pace_refusal
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


def trigger(**values: Any) -> TriggerSpec:
    base = {"name": "t", "pipeline": "p", "types": ["batch.ready"], "sources": ["shop"]}
    return TriggerSpec.model_validate({**base, **values})


@pytest.mark.parametrize(
    ("values", "outcome", "reason"),
    [
        ({}, "fired", ""),
        ({"enabled": False}, "disabled", "trigger 't' is disabled"),
        ({"sources": ["other", "third"]}, "source_not_accepted", "source 'shop' is not one of other, third"),
        ({"where": {"data.uri": "s3://y"}}, "condition_not_met", "data.uri is 's3://x', expected 's3://y'"),
        ({"where": {"data.bucket": "y"}}, "condition_not_met", "data.bucket is not there, expected 'y'"),
        ({"where": {"data.ok": 1}}, "condition_not_met", "data.ok is True, expected 1"),
        ({"where": {"data.n": 1.0, "subject": "reviews"}}, "fired", ""),
        ({"dedupe_key": "${event.data.digest}"}, "invalid", "${event.data.digest} cannot be resolved"),
        ({"params": {"uri": "${event.data.url}"}}, "invalid", "${event.data.url} cannot be resolved"),
        ({"debounce_seconds": 30}, "debouncing", "waits 30 s for a later match"),
    ],
)
def test_every_answer_has_its_reason(values: dict[str, Any], outcome: str, reason: str) -> None:
    answer = match(trigger(**values), EVENT)
    assert answer.outcome == outcome
    assert answer.reason.startswith(reason)


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
        assert answer.dedupe_key is not None
        assert answer.dedupe_key.startswith("sha256:")


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


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"params": {"rows": 1}}, "has no param 'rows'; it has: uri"),
        ({"params": {"uri": "${stages.a.dataset}"}}, "a trigger may read ${event.…} only"),
        (
            {"types": ["dev.graftwork.dataset.version_create.v1"]},
            "did you mean 'dev.graftwork.dataset.version_created.v1'?",
        ),
    ],
)
def test_what_could_never_fire_is_refused(values: dict[str, Any], said: str) -> None:
    pipeline = PipelineSpec.model_validate({"name": "p", "params": {"uri": ""}, "stages": {"a": {"kind": "curate"}}})
    with pytest.raises(Invalid) as refused:
        check_trigger(trigger(**values), pipeline)
    assert said in refused.value.detail
