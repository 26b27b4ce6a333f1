"""Events to runs: every answer of a trigger, each with its reason, and each event once."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, func, select

from controlplane.commands.inbound import receive_event
from controlplane.commands.inbox import is_first_time
from controlplane.commands.triggers import fire_due_triggers
from controlplane.errors import PayloadTooLarge
from controlplane.reactions.facts import REACTIONS, react
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow, InboxRow
from controlplane.store.tables import JobRow, PipelineRunRow, TriggerEvaluationRow
from controlplane.store.unit_of_work import Cause
from controlplane.transport.event_log import read_events
from schemas.cloudevent import InboundEvent
from schemas.events import BY_TYPE
from tests.support.releases import Site, ok
from tests.support.scripted_worker import Worker

PIPELINE = {
    "params": {"source": "file:///rows.csv"},
    "stages": {
        "curate": {"kind": "curate", "spec": {"dataset": "reviews", "sources": [{"uri": "${params.source}"}]}},
        "train": {
            "kind": "train",
            "needs": ["curate"],
            "spec": {"model": "sentiment", "base_model": "file:///base", "dataset": "${stages.curate.dataset}"},
        },
    },
}
TRIGGER = {
    "pipeline": "nightly",
    "types": ["batch.ready"],
    "sources": ["shop"],
    "params": {"source": "${event.data.uri}"},
    "cooldown_seconds": 0,
}
CREATED = "dev.graftwork.dataset.version_created.v1"


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    ok(site.client("operator").put("/v1/pipelines/nightly", json=PIPELINE))
    return site


def trigger(site: Site, name: str = "on-batch", **values: Any) -> None:
    ok(site.client("operator").put(f"/v1/triggers/{name}", json={**TRIGGER, **values}))


def send(site: Site, event_id: str = "1", **values: Any) -> list[dict[str, Any]]:
    """Structured mode; answers the evaluations."""
    event = {"specversion": "1.0", "id": event_id, "source": "shop", "type": "batch.ready", **values}
    event.setdefault("data", {"uri": f"file:///{event_id}.csv"})
    headers = {"content-type": "application/cloudevents+json"}
    answer = site.client("operator").post("/v1/events", json=event, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["evaluations"]  # type: ignore[no-any-return]


def outcomes(evaluations: list[dict[str, Any]]) -> list[str]:
    return [evaluation["outcome"] for evaluation in evaluations]


def runs(site: Site) -> list[dict[str, Any]]:
    return ok(site.client("viewer").get("/v1/pipeline-runs"))["items"]  # type: ignore[no-any-return]


def evaluations(site: Site, **filters: str) -> list[dict[str, Any]]:
    return ok(site.client("viewer").get("/v1/trigger-evaluations", params=filters))["items"]  # type: ignore[no-any-return]


def facts(site: Site, *names: str) -> list[dict[str, Any]]:
    types = [f"dev.graftwork.{name}" for name in names]
    return ok(site.client("viewer").get("/v1/events", params={"after": 0, "type": types}))["items"]  # type: ignore[no-any-return]


def hear_facts(site: Site) -> None:
    """What the reactions process does, by hand: every fact of ours, in order, each in one transaction."""
    after = 0
    while True:
        with site.database.read() as session:
            events = read_events(session, after, limit=1)
        if not events:
            return
        after = events[0].seq
        with site.database.begin("reactions", Cause(events[0].correlationid, events[0].id)) as uow:
            if is_first_time(uow, "reactions.facts", events[0].source, events[0].id):
                react(uow, events[0])


def move_clock(site: Site, seconds: float) -> None:
    """As if every evaluation had been made so much earlier."""
    with site.database.begin("test") as uow:
        for row in uow.session.exec(select(TriggerEvaluationRow)).all():
            row.at -= timedelta(seconds=seconds)
            if row.due_at:
                row.due_at -= timedelta(seconds=seconds)


def test_an_event_becomes_a_run_and_its_first_job(site: Site) -> None:
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


def test_binary_mode_is_the_same_event(site: Site) -> None:
    trigger(site)
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "shop", "ce-type": "batch.ready"}
    answer = site.client("operator").post("/v1/events", json={"uri": "file:///1.csv"}, headers=headers)
    assert ok(answer)["repeated"] is False
    assert outcomes(ok(answer)["evaluations"]) == ["fired"]
    assert outcomes(send(site)) == ["fired"]
    assert len(runs(site)) == 1


def test_the_same_event_again_gets_the_first_answer_and_changes_nothing(site: Site, database: Database) -> None:
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


def test_identity_is_source_and_id(site: Site) -> None:
    trigger(site, sources=["shop", "store"])
    send(site, "1")
    send(site, "1", source="store")
    assert len(runs(site)) == 2


def test_an_unknown_type_is_recorded_and_no_error(site: Site) -> None:
    trigger(site)
    (evaluation,) = send(site, type="weather.changed")
    assert (evaluation["outcome"], evaluation["trigger"]) == ("no_trigger_matched", None)
    assert evaluation["reason"] == "no trigger listens to the type 'weather.changed'"
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
    site: Site, settings: dict[str, Any], event: dict[str, Any], outcome: str, reason: str
) -> None:
    trigger(site, **settings)
    (evaluation,) = send(site, **event)
    assert evaluation["outcome"] == outcome
    assert reason in evaluation["reason"]
    assert runs(site) == []
    assert evaluations(site, trigger="on-batch") == [evaluation]


def test_a_dedupe_key_fires_once(site: Site) -> None:
    trigger(site, dedupe_key="${event.data.uri}")
    same = {"data": {"uri": "file:///same.csv"}}
    assert [outcomes(send(site, str(n), **same)) for n in range(3)] == [["fired"], ["duplicate"], ["duplicate"]]
    assert outcomes(send(site, "other")) == ["fired"]
    assert "'file:///same.csv' has fired already" in evaluations(site, event="1")[0]["reason"]
    assert len(runs(site)) == 2


def test_cooldown_lets_the_same_key_fire_later(site: Site) -> None:
    trigger(site, cooldown_seconds=60, dedupe_key="${event.data.uri}")
    assert outcomes(send(site, "1")) == ["fired"]
    assert outcomes(send(site, "2")) == ["cooldown"]
    move_clock(site, 61)
    assert outcomes(send(site, "3", data={"uri": "file:///2.csv"})) == ["fired"]


def test_the_budget_is_of_the_last_24_hours(site: Site) -> None:
    trigger(site, daily_budget=2)
    assert [outcomes(send(site, str(n)))[0] for n in range(3)] == ["fired", "fired", "budget"]
    assert "fired 2 times in 24 hours, the budget is 2" in evaluations(site, event="2")[0]["reason"]
    move_clock(site, 24 * 3600 + 1)
    assert outcomes(send(site, "3")) == ["fired"]


def test_of_a_burst_the_last_one_fires_when_it_is_quiet(site: Site) -> None:
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


def by_deleting(site: Site) -> None:
    assert site.client("operator").delete("/v1/triggers/on-batch").status_code == 204


def by_disabling(site: Site) -> None:
    trigger(site, debounce_seconds=30, enabled=False)


def by_changing_the_pipeline(site: Site) -> None:
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
    site: Site, change: Callable[[Site], None], outcome: str, reason: str
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


def test_a_pipeline_that_changed_under_its_trigger_is_recorded_as_invalid(site: Site) -> None:
    trigger(site)
    by_changing_the_pipeline(site)
    (evaluation,) = send(site)
    assert evaluation["outcome"] == "invalid"
    assert "has no param 'source'" in evaluation["reason"]


def test_a_trigger_listens_to_our_own_facts_and_never_to_its_own_runs(site: Site) -> None:
    trigger(site, "again", types=[CREATED], sources=["graftwork"], params={}, dedupe_key="${event.data.digest}")
    ok(site.client("operator").post("/v1/pipelines/nightly:run", json={}))
    worker = Worker(site)
    worker.curate("one")
    hear_facts(site)
    assert [run["trigger"] for run in runs(site)] == ["again", None]
    worker.curate("two")
    hear_facts(site)
    hear_facts(site)
    loop = next(e for e in evaluations(site, trigger="again") if e["outcome"] == "loop")
    assert loop["reason"] == f"the fact was caused by run {runs(site)[0]['id']}, which this trigger started"
    assert len(runs(site)) == 2


def test_a_loop_through_another_trigger_is_seen(site: Site) -> None:
    ours = {"sources": ["graftwork"], "params": {}}
    trigger(site, "ping", types=[CREATED], **ours)
    trigger(site, "pong", types=["dev.graftwork.job.succeeded.v1"], where={"data.kind": "curate"}, **ours)
    ok(site.client("operator").post("/v1/pipelines/nightly:run", json={}))
    worker = Worker(site)
    for n in range(10):
        with site.database.read() as session:
            waiting = select(func.count()).where(JobRow.kind == "curate", col(JobRow.phase).in_(("Pending", "Running")))
            if not session.exec(waiting).one():
                break
        worker.curate(f"rows {n}")
        hear_facts(site)
    else:
        raise AssertionError("the two triggers start each other for ever")
    by_trigger = Counter(run["trigger"] for run in runs(site))
    assert by_trigger[None] == 1
    assert "loop" in outcomes(evaluations(site))


def test_a_loop_through_a_rollout_is_seen_though_only_time_moved_it(site: Site) -> None:
    """The reconciler moves the alias and no event led to that: the move's evidence does."""
    site.deploy(gates=[])
    worker = Worker(site)
    ok(site.client("operator").post("/v1/pipelines/nightly:run", json={}))
    worker.curate()
    worker.train()
    stages = PIPELINE["stages"] | {
        "export": {"kind": "export", "needs": ["train"], "spec": {"model_version": "${stages.train.model_version}"}},
        "release": {
            "kind": "release",
            "needs": ["export"],
            "deployment": "reviews",
            "model_version": "${stages.export.model_version}",
        },
    }
    ok(site.client("operator").put("/v1/pipelines/nightly", json={**PIPELINE, "stages": stages}))
    moved = {"types": ["dev.graftwork.model.alias_moved.v1"], "sources": ["graftwork"], "params": {}}
    trigger(site, "on-move", **moved)
    body, first = {"model_version": "sentiment/1", "reason": "by hand"}, {"If-None-Match": "*"}
    ok(site.client("releaser").put("/v1/models/sentiment/aliases/challenger", json=body, headers=first))
    hear_facts(site)
    worker.curate()
    worker.train()
    worker.export()
    site.turn(2)
    hear_facts(site)
    assert [move["actor"] for move in site.moves()] == ["reconciler"]
    assert outcomes(evaluations(site, trigger="on-move")) == ["loop", "fired"]


def test_an_outsider_cannot_feign_a_cause(site: Site) -> None:
    trigger(site)
    send(site, "1")
    (started,) = facts(site, "pipeline.run_started.v1")
    (evaluation,) = send(site, "2", causationid=started["id"], correlationid=started["correlationid"])
    assert evaluation["outcome"] == "fired"


def test_every_fact_has_a_reaction() -> None:
    assert set(REACTIONS) == set(BY_TYPE)


@pytest.mark.parametrize(
    ("values", "status", "said"),
    [
        ({"pipeline": "nobody"}, 404, "there is no pipeline 'nobody'"),
        ({"params": {"rows": 1}}, 422, "has no param 'rows'; it has: source"),
        ({"types": []}, 422, "types"),
        ({"types": [""]}, 422, "may not be empty"),
        ({"cron": "* * * * *"}, 422, "cron"),
        ({"name": "other"}, 422, "expected 'on-batch' as in the path"),
        ({"types": ["dev.graftwork.nothing.v1"]}, 422, "there is no fact"),
    ],
)
def test_a_bad_trigger_is_refused(site: Site, values: dict[str, Any], status: int, said: str) -> None:
    answer = site.client("operator").put("/v1/triggers/on-batch", json={**TRIGGER, **values})
    assert answer.status_code == status
    assert said in answer.json()["detail"], answer.text


def test_triggers_are_listed_read_and_deleted(site: Site) -> None:
    for name in ("b", "a"):
        trigger(site, name)
    viewer = site.client("viewer")
    assert [t["name"] for t in ok(viewer.get("/v1/triggers"))["items"]] == ["a", "b"]
    assert ok(viewer.get("/v1/triggers/a"))["spec"]["types"] == ["batch.ready"]
    assert viewer.delete("/v1/triggers/a").status_code == 403
    assert site.client("operator").delete("/v1/triggers/a").status_code == 204
    assert site.client("operator").delete("/v1/triggers/a").status_code == 404


@pytest.mark.parametrize(
    ("event", "status", "said"),
    [
        ({"data": {"x": "y" * 262_200}}, 413, "at most 262144"),
        ({"data": {"x": "a\0b"}}, 422, "U+0000"),
        ({"type": "dev.graftwork.job.failed.v1"}, 422, "Graftwork's own"),
        ({"source": "graftwork"}, 422, "is Graftwork's own"),
        ({"specversion": "2.0"}, 422, "specversion"),
        ({"id": ""}, 422, "id"),
        ({"id": "a\0b"}, 422, "U+0000"),
        ({"Bad_Name": "x"}, 422, "lower-case letters and digits only"),
    ],
)
def test_a_bad_event_is_refused_and_leaves_nothing(site: Site, event: dict[str, Any], status: int, said: str) -> None:
    trigger(site)
    whole = {"specversion": "1.0", "id": "1", "source": "shop", "type": "batch.ready", **event}
    headers = {"content-type": "application/cloudevents+json"}
    answer = site.client("operator").post("/v1/events", json=whole, headers=headers)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    with site.database.read() as session:
        assert session.exec(select(func.count()).select_from(InboxRow)).one() == 0
        assert session.exec(select(func.count()).select_from(EventRow)).one() == 0


def test_a_viewer_may_not_send_events(site: Site) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "shop", "ce-type": "x"}
    assert site.client("viewer").post("/v1/events", headers=headers).status_code == 403


def test_the_door_itself_measures(database: Database) -> None:
    """Kafka's consumer comes by the same door."""
    event = InboundEvent(specversion="1.0", id="1", source="shop", type="x", data="x" * 300_000)
    with pytest.raises(PayloadTooLarge), database.begin("test") as uow:
        receive_event(uow, event)


def test_the_same_key_at_the_same_time_fires_once(site: Site) -> None:
    """Eight different events with one key, through eight connections."""
    trigger(site, dedupe_key="${event.data.batch}", params={})
    trigger(site, "paced", dedupe_key=None, params={}, daily_budget=3)
    start = threading.Barrier(8)
    answers: list[list[dict[str, Any]]] = []

    def outsider(n: int) -> None:
        start.wait()
        answers.append(send(site, f"e{n}", data={"batch": "same"}))

    threads = [threading.Thread(target=outsider, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = Counter((e["trigger"], e["outcome"]) for found in answers for e in found)
    assert counted == {
        ("on-batch", "fired"): 1,
        ("on-batch", "duplicate"): 7,
        ("paced", "fired"): 3,
        ("paced", "budget"): 5,
    }
    assert len(runs(site)) == 4


def test_one_event_at_the_same_time_by_two_doors_has_its_effect_once(site: Site) -> None:
    trigger(site)
    for n in range(10):
        start = threading.Barrier(2)
        answers: list[list[dict[str, Any]]] = []

        def door(event_id: str, start: threading.Barrier = start, answers: list[Any] = answers) -> None:
            start.wait()
            answers.append(send(site, event_id))

        threads = [threading.Thread(target=door, args=(f"e{n}",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 2
        assert answers[0] == answers[1]
        assert outcomes(answers[0]) == ["fired"]
    assert len(runs(site)) == 10


@pytest.mark.parametrize("prefix", [1, 4, 9])
def test_replaying_any_prefix_of_events_changes_nothing(site: Site, prefix: int) -> None:
    trigger(site, dedupe_key="${event.data.batch}", params={}, daily_budget=3)
    events = [(str(n), {"batch": n % 4}) for n in range(9)]
    first = [send(site, event_id, data=data) for event_id, data in events]
    before = (runs(site), evaluations(site))
    again = [send(site, event_id, data=data) for event_id, data in events[:prefix]]
    assert again == first[:prefix]
    assert (runs(site), evaluations(site)) == before


def test_evaluations_come_newest_first_in_pages(site: Site) -> None:
    for n in range(5):
        send(site, str(n), type="nobody.listens")
    seen: list[str] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = ok(site.client("viewer").get("/v1/trigger-evaluations", params={"limit": 2, **cursor}))
        seen += [item["event_id"] for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert seen == ["4", "3", "2", "1", "0"]
