"""Events to runs: every answer of a trigger, each with its reason."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import func, select

from controlplane.duties.triggers import fire_due_triggers
from controlplane.store.database import Database
from controlplane.store.spine_tables import InboxRow
from controlplane.store.tables import PipelineRunRow, TriggerEvaluationRow
from tests.support.answers import ok
from tests.support.scripted_worker import Worker
from tests.support.triggers import evaluations, facts, move_clock, outcomes, runs, send, trigger
from tests.support.worlds.in_process import InProcess


def test_an_event_becomes_a_run_and_its_first_job(site: InProcess) -> None:
    trigger(site)
    (evaluation,) = send(site, subject="reviews", correlationid="journey-7")
    assert evaluation["outcome"] == "fired"
    (run,) = runs(site)
    assert evaluation["run_id"] == run["id"]
    assert (run["trigger"], run["actor"], run["correlationid"]) == ("on-batch", "event:shop", "journey-7")
    assert run["event"]["subject"] == "reviews"
    claim = Worker(site).claim("curate")
    assert claim["spec"]["sources"][0]["uri"] == "file:///1.csv"
    journey = facts(site)
    names = [fact["type"].split(".", 2)[2] for fact in journey]
    assert names == ["event.received.v1", "pipeline.run_started.v1", "job.requested.v1", "job.started.v1"]
    assert journey[0]["data"]["outcomes"] == {"on-batch": "fired"}
    assert [fact["causationid"] for fact in journey[1:]] == [fact["id"] for fact in journey[:-1]]


def test_binary_mode_is_the_same_event(site: InProcess) -> None:
    trigger(site)
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "shop", "ce-type": "batch.ready"}
    answer = site.client("operator").post("/v1/events", json={"uri": "file:///1.csv"}, headers=headers)
    assert ok(answer)["repeated"] is False
    assert outcomes(ok(answer)["evaluations"]) == ["fired"]
    assert outcomes(send(site)) == ["fired"]
    assert len(runs(site)) == 1


def test_the_same_event_again_gets_the_first_answer_and_changes_nothing(site: InProcess, database: Database) -> None:
    trigger(site)
    first = send(site)
    trigger(site, "second")
    for _ in range(3):
        assert send(site) == first
    with database.read() as session:
        counts = [
            session.exec(select(func.count()).select_from(table)).one()
            for table in (InboxRow, PipelineRunRow, TriggerEvaluationRow)
        ]
    assert counts == [1, 1, 1]


def test_identity_is_source_and_id(site: InProcess) -> None:
    trigger(site, sources=["shop", "store"])
    send(site, "1")
    send(site, "1", source="store")
    assert len(runs(site)) == 2


def test_an_unknown_type_is_recorded_and_no_error(site: InProcess) -> None:
    trigger(site)
    (evaluation,) = send(site, type="weather.changed")
    assert (evaluation["outcome"], evaluation["trigger"]) == ("no_trigger_matched", None)
    assert evaluation["reason"] == (
        "no trigger listens to the type 'weather.changed'; add it to a trigger's `types`, or correct the event"
    )
    assert outcomes(evaluations(site, event="1")) == ["no_trigger_matched"]


@pytest.mark.parametrize(
    ("settings", "event", "outcome", "reason"),
    [
        ({"enabled": False}, {}, "disabled", "is disabled"),
        ({}, {"source": "thief"}, "source_not_accepted", "source 'thief' is not one of shop"),
        ({"where": {"data.split": "train"}}, {}, "condition_not_met", "data.split is not there, expected 'train'"),
        ({"where": {"subject": "a"}}, {"subject": "b"}, "condition_not_met", "subject is 'b', expected 'a'"),
        ({}, {"data": {"url": "x"}}, "invalid", "event.data has no 'uri' (it has: url)"),
        ({}, {"data": None}, "invalid", "event has no 'data'"),
        ({"dedupe_key": "${event.digest}"}, {}, "invalid", "event has no 'digest'"),
    ],
)
def test_why_a_trigger_did_not_fire(
    site: InProcess, settings: dict[str, Any], event: dict[str, Any], outcome: str, reason: str
) -> None:
    trigger(site, **settings)
    (evaluation,) = send(site, **event)
    assert evaluation["outcome"] == outcome
    assert reason in evaluation["reason"]
    assert runs(site) == []
    assert evaluations(site, trigger="on-batch") == [evaluation]


def test_a_dedupe_key_fires_once(site: InProcess) -> None:
    trigger(site, dedupe_key="${event.data.uri}")
    same = {"data": {"uri": "file:///same.csv"}}
    assert [outcomes(send(site, str(n), **same)) for n in range(3)] == [["fired"], ["duplicate"], ["duplicate"]]
    assert outcomes(send(site, "other")) == ["fired"]
    assert "'file:///same.csv' has fired already" in evaluations(site, event="1")[0]["reason"]
    assert len(runs(site)) == 2


def test_cooldown_lets_the_same_key_fire_later(site: InProcess) -> None:
    trigger(site, cooldown_seconds=60, cooldown_mode="drop", dedupe_key="${event.data.uri}")
    assert outcomes(send(site, "1")) == ["fired"]
    assert outcomes(send(site, "2")) == ["cooldown"]
    move_clock(site, 61)
    assert outcomes(send(site, "3", data={"uri": "file:///2.csv"})) == ["fired"]


def test_the_budget_is_of_the_last_24_hours(site: InProcess) -> None:
    trigger(site, daily_budget=2)
    assert [outcomes(send(site, str(n)))[0] for n in range(3)] == ["fired", "fired", "budget"]
    assert "fired 2 times in 24 hours, the budget is 2" in evaluations(site, event="2")[0]["reason"]
    move_clock(site, 24 * 3600 + 1)
    assert outcomes(send(site, "3")) == ["fired"]


def test_of_a_burst_the_last_one_fires_when_it_is_quiet(site: InProcess) -> None:
    trigger(site, debounce_seconds=30)
    assert [outcomes(send(site, str(n)))[0] for n in range(3)] == ["debouncing"] * 3
    assert [e["outcome"] for e in evaluations(site)] == ["debouncing", "superseded", "superseded"]
    fire_due_triggers(site.database, site.settings)
    assert runs(site) == []
    move_clock(site, 31)
    for _ in range(3):
        fire_due_triggers(site.database, site.settings)
    (run,) = runs(site)
    assert run["params"]["source"] == "file:///2.csv"
    assert (run["actor"], run["event"]["id"]) == ("event:shop", "2")
    assert evaluations(site, event="2")[0]["run_id"] == run["id"]
    (started,) = facts(site, "pipeline.run_started.v1")
    assert started["causationid"] == facts(site, "event.received.v1")[-1]["id"]


def by_deleting(site: InProcess) -> None:
    assert site.client("operator").delete("/v1/triggers/on-batch").status_code == 204


def by_disabling(site: InProcess) -> None:
    trigger(site, debounce_seconds=30, enabled=False)


def by_changing_the_pipeline(site: InProcess) -> None:
    stages = {"curate": {"kind": "curate", "spec": {"dataset": "reviews"}}}
    ok(site.client("operator").put("/v1/pipelines/nightly", json={"stages": stages}))


@pytest.mark.parametrize(
    ("change", "outcome", "reason"),
    [
        (by_deleting, "disabled", "the trigger was deleted"),
        (by_disabling, "disabled", "is disabled"),
        (by_changing_the_pipeline, "invalid", "has no param 'source'"),
    ],
)
def test_what_waits_is_judged_again_when_it_is_due(
    site: InProcess, change: Callable[[InProcess], None], outcome: str, reason: str
) -> None:
    trigger(site, debounce_seconds=30)
    send(site)
    change(site)
    move_clock(site, 31)
    fire_due_triggers(site.database, site.settings)
    (evaluation,) = evaluations(site)
    assert (evaluation["outcome"], evaluation["due_at"]) == (outcome, None)
    assert reason in evaluation["reason"]
    assert runs(site) == []


def test_a_pipeline_that_changed_under_its_trigger_is_recorded_as_invalid(site: InProcess) -> None:
    trigger(site)
    by_changing_the_pipeline(site)
    (evaluation,) = send(site)
    assert evaluation["outcome"] == "invalid"
    assert "has no param 'source'" in evaluation["reason"]
