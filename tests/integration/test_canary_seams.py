"""Where gateway, ingest, fold and queue meet: what no side alone can keep."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.commands.registry.evidence import gather
from controlplane.projections.models import find_graph
from controlplane.store.database import Database
from controlplane.store.serving_tables import RolloutRow
from controlplane.store.tables import AttachmentRow, ModelVersionRow
from schemas.artifacts import ArtifactRef
from schemas.jobs.export import ExportResult
from tests.support.answers import ok
from tests.support.builders.artifacts import artifact
from tests.support.builders.models import graph_ref
from tests.support.builders.planted import plant_attachment
from tests.support.builders.results import exported
from tests.support.facts import apart
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

LABELLED: dict[str, Any] = {
    **CANARY,
    "metrics": [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}],
    "label_wait_seconds": 20,
}


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    site.deploy()
    return site


def export_again(site: InProcess, version: UUID) -> ArtifactRef:
    """Another graph for a version that has one; answers its adapter."""
    adapter = artifact(f"another graph of {version}")
    result = exported(version, max_abs_diff=1e-6, graph=graph_ref(version, adapter=adapter))
    with site.database.begin("test") as uow:
        row = uow.session.get(ModelVersionRow, version)
        assert row is not None
        plant_attachment(uow, result, row.job_id, uow.now() + timedelta(seconds=1))
    return adapter


def analysis(site: InProcess, rollout: dict[str, Any]) -> str:
    return "\n".join(site.rollout(rollout["id"])["analysis"])


def test_what_was_learnt_comes_oldest_first_and_the_newest_export_is_the_one_that_is_judged(site: InProcess) -> None:
    version = site.version()
    again = export_again(site, version)
    with site.database.read() as session:
        learnt = gather(session, [], version, None).candidate
    assert len(learnt.attachments) == 2
    assert learnt.graph is not None
    assert learnt.graph.adapter == learnt.of(ExportResult)[1].result.graph.adapter == again


def test_of_several_exports_of_one_moment_gates_and_gateways_take_the_same(site: InProcess) -> None:
    version = site.version()
    with site.database.begin("test") as uow:
        first = uow.session.exec(select(AttachmentRow).where(AttachmentRow.model_version_id == version)).one()
        for n in range(5):
            graph = graph_ref(version, adapter=artifact(f"graph {n} of {version}"))
            again = exported(version, max_abs_diff=n / 10**6, graph=graph)
            plant_attachment(uow, again, first.job_id, first.created_at)
    with site.database.read() as session:
        learnt = gather(session, [], version, None).candidate
        assert len({one.result.graph.adapter.digest for one in learnt.of(ExportResult)}) == 6
        assert find_graph(session, version) == learnt.graph


# --- clocks and quiet -------------------------------------------------------------------------------------------------


def test_labels_do_not_wait_for_a_gateway_whose_machine_slept(site: InProcess) -> None:
    site.deploy(canary=LABELLED)
    site.first_champion()
    gateway = Gateway(site)
    gateway.second -= 4600  # an hour behind the database's clock
    gateway.restart()
    rollout = site.canary(gateway)
    gateway.label(40)
    for _ in range(24):
        gateway.observe(400)
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "RolledBack", analysis(site, rollout)


def test_without_traffic_the_last_step_promotes_nothing(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    while site.rollout(rollout["id"])["step"] == 1:
        gateway.observe(4000)
        site.turn()
        gateway.report()
    for _ in range(5):
        gateway.observe(0)
        site.turn()
    standing = site.rollout(rollout["id"])
    assert (standing["phase"], standing["step"], standing["weight"]) == ("Progressing", 2, 0.5)


def test_a_long_rollout_is_folded_less_often_and_its_lease_goes_on(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    with site.database.begin("test") as uow:
        row = uow.session.get(RolloutRow, UUID(rollout["id"]))
        assert row is not None
        assert row.started_at is not None
        row.started_at -= timedelta(hours=20)
    gateway.observe(400)
    site.turn()
    assert "canary no units" in analysis(site, rollout)
    assert gateway.lease == 15.0
    site.pass_time(11)
    site.turn()
    assert "canary 0 of 40 units" in analysis(site, rollout)


def test_a_gateway_that_ended_by_itself_does_not_hold_the_fold_back(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    other = Gateway(site, "gateway-2", first_second=gateway.second)
    rollout = site.canary(gateway, other)
    gateway.observe(0)
    for _ in range(3):
        other.observe(50)
    site.turn()
    assert " 5 canary units" in analysis(site, rollout)
    assert gateway.send_lost(gateway.boot, []).status_code == 204
    site.turn()
    assert "15 canary units" in analysis(site, rollout)
    assert site.rollout(rollout["id"])["verdict"] is None


# --- the queue behind an INVALID rollout ------------------------------------------------------------------------------


def invalid(site: InProcess, gateway: Gateway) -> dict[str, Any]:
    """A rollout whose units do not reach the arms as its weight says, at the end of its grace."""
    rollout = site.canary(gateway)
    gateway.observe(400, canary_share=0.5)
    site.turn()
    assert site.rollout(rollout["id"])["verdict"] == "INVALID"
    return rollout


def test_a_new_rollout_ends_one_that_is_invalid_for_good(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    first = invalid(site, gateway)
    again = site.release(UUID(first["model_version_id"]))
    assert again["phase"] == "Verifying"
    ended = site.rollout(first["id"])
    assert (ended["phase"], ended["verdict"]) == ("Aborted", "INVALID")
    assert "gave way" in ended["reason"]
    assert gateway.generation().canary is None


def test_whoever_waits_behind_an_invalid_one_comes_before_a_new_one(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    first = site.canary(gateway)
    waiting = site.release(site.version())
    gateway.observe(400, canary_share=0.5)
    site.turn()
    assert site.rollout(first["id"])["verdict"] == "INVALID"
    new = site.release(site.version())
    assert new["phase"] == "Queued"
    assert site.rollout(waiting["id"])["phase"] == "Verifying"
    assert site.rollout(first["id"])["phase"] == "Aborted"


def test_a_run_whose_release_is_refused_leaves_standing_what_it_would_have_replaced(site: InProcess) -> None:
    champion = site.first_champion()
    gateway = Gateway(site)
    standing = invalid(site, gateway)
    release = {"kind": "release", "deployment": "reviews", "model_version": str(champion)}
    ok(site.client("admin").put("/v1/pipelines/again", json={"name": "again", "stages": {"release": release}}))
    run = ok(site.client("admin").post("/v1/pipelines/again:run", json={"params": {}}))
    assert "serves already" in run["stages"]["release"]["reason"]
    assert run["phase"] == "Failed"
    assert site.rollout(standing["id"])["phase"] == "Paused"
    assert gateway.generation().canary is not None
    facts, asked = apart(ok(site.client("viewer").get("/v1/events", params={"after": 0}))["items"])
    assert facts[-1]["subject"] == f"pipeline-run/{run['id']}"
    assert asked[-1]["data"]["action"] == "pipeline.run"


def test_a_queued_rollout_waits_for_the_grace_and_no_longer(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "invalid_grace_seconds": 0})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    site.release(site.version())
    gateway.observe(400, canary_share=0.5)
    site.turn(2)
    assert site.rollout(rollout["id"])["phase"] == "Aborted"
    assert site.phases() == ["Promoted", "Aborted", "Verifying"]


def test_silence_holds_the_queue_since_it_ends_by_itself(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(400)
    site.pass_time(100)
    site.turn()
    assert site.rollout(rollout["id"])["verdict"] == "INVALID"
    assert site.release(site.version())["phase"] == "Queued"


# --- what gateways are told -------------------------------------------------------------------------------------------


def test_a_version_is_served_by_one_graph_however_often_it_is_exported(site: InProcess) -> None:
    champion = site.first_champion()
    gateway = Gateway(site)
    candidate = site.version()
    rollout = site.canary(gateway, version=candidate)
    for version in (champion, candidate):
        export_again(site, version)
    served = gateway.generation()
    assert served.stable is not None
    assert served.canary is not None
    assert served.stable.graph.adapter == graph_ref(champion).adapter
    assert served.canary.graph.adapter == graph_ref(candidate).adapter
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json={"reason": "a test"}))
    promoted = gateway.generation().stable
    assert promoted is not None
    assert promoted.graph == served.canary.graph


def test_a_later_rollout_takes_the_latest_graph(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    candidate = site.version()
    rollout = site.canary(gateway, version=candidate)
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:abort", json={"reason": "a bad export"}))
    adapter = export_again(site, candidate)
    site.release(candidate)
    probe = gateway.generation().probe_version
    assert probe is not None
    assert probe.graph.adapter == adapter


def test_a_new_deadline_reaches_gateways_at_once_and_leaves_a_rollout_alone(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    before = gateway.generation()
    site.deploy(canary={**CANARY, "deadline_seconds": 3})
    told = gateway.generation()
    assert (told.generation, told.deadline_seconds, told.stable) == (before.generation + 1, 3.0, before.stable)
    site.deploy(canary={**CANARY, "deadline_seconds": 3, "step_units": 50})
    assert gateway.generation() == told
    site.deploy(canary={**CANARY, "deadline_seconds": 3, "deadline_total_seconds": 9})
    whole = gateway.generation()
    assert (whole.generation, whole.deadline_seconds, whole.deadline_total_seconds) == (told.generation + 1, 3.0, 9.0)
    site.canary(gateway)
    during = gateway.generation()
    site.deploy(canary={**CANARY, "deadline_seconds": 4})
    assert gateway.generation() == during
    with site.database.read() as session:
        assert len(session.exec(select(RolloutRow)).all()) == 2
