"""Triggers that listen to our own facts: loops, feigned causes, and every fact heard."""

from collections import Counter

from sqlmodel import col, func, select

from controlplane.reactions.facts import REACTIONS
from controlplane.store.tables import JobRow
from schemas.facts import BY_TYPE
from tests.support.answers import ok
from tests.support.scripted_worker import Worker
from tests.support.triggers import CREATED, PIPELINE, evaluations, facts, hear_facts, outcomes, runs, send, trigger
from tests.support.worlds.in_process import InProcess


def test_a_trigger_listens_to_our_own_facts_and_never_to_its_own_runs(site: InProcess) -> None:
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
    cause = f"the fact was caused by run {runs(site)[0]['id']}, which this trigger started"
    assert loop["reason"] == f"{cause}; narrow the trigger's `types` or `where`"
    assert len(runs(site)) == 2


def test_a_loop_through_another_trigger_is_seen(site: InProcess) -> None:
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


def test_a_loop_through_a_rollout_is_seen_though_only_time_moved_it(site: InProcess) -> None:
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


def test_an_outsider_cannot_feign_a_cause(site: InProcess) -> None:
    trigger(site)
    send(site, "1")
    (started,) = facts(site, "pipeline.run_started.v1")
    (evaluation,) = send(site, "2", causationid=started["id"], correlationid=started["correlationid"])
    assert evaluation["outcome"] == "fired"


def test_every_fact_has_a_reaction() -> None:
    assert set(REACTIONS) == set(BY_TYPE)
