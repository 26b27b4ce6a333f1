"""What a rollout must show before it starts, and which comes next."""

from uuid import uuid4

from controlplane.commands.rollouts.operations import StartRollout, start_rollout
from tests.support.answers import ok
from tests.support.rollouts import WORD
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import Findings, InProcess

ACCURACY = {"gate": "metric", "metric": "accuracy", "dataset": "reviews", "min_rows": 1000}


def test_missing_evidence_refuses_and_says_what_is_missing(site: InProcess) -> None:
    site.deploy(gates=[{"gate": "parity"}, ACCURACY | {"minimum": 0.7}])
    rollout = site.release(site.version())
    assert rollout["phase"] == "Aborted"
    assert {g["gate"]: g["status"] for g in rollout["gates"]} == {
        "graph": "Passed",
        "labels": "NotApplicable",
        "parity": "Passed",
        "accuracy": "Error",
    }
    assert "missing evidence" in rollout["reason"]
    assert site.release(site.version(Findings(accuracy=0.8)))["phase"] == "Verifying"


def test_gates_compare_with_what_serves(site: InProcess) -> None:
    site.deploy(gates=[ACCURACY | {"minimum": 0.5, "not_worse_than_champion_by": 0.01}])
    champion = site.version(Findings(accuracy=0.8))
    first = site.release(champion)
    assert [g["status"] for g in first["gates"]] == ["Passed", "NotApplicable", "Passed", "NotApplicable"]
    site.turn()
    alone = site.release(site.version(Findings(accuracy=0.9)))
    assert (alone["phase"], alone["gates"][-1]["status"]) == ("Aborted", "Error")
    worse = site.release(site.version(Findings(accuracy=0.75, against=champion, difference=-0.05)))
    assert (worse["phase"], worse["gates"][-1]["status"]) == ("Aborted", "Failed")
    as_good = site.release(site.version(Findings(accuracy=0.8, against=champion)))
    assert as_good["phase"] == "Verifying"
    assert all(d["recomputed"] for d in site.decisions(worse["id"]))


def test_waiving_gates_needs_the_role_and_leaves_its_mark(site: InProcess) -> None:
    site.deploy(gates=[ACCURACY | {"minimum": 0.9}])
    version = site.version(Findings(accuracy=0.6))
    body = {"deployment": "reviews", "model_version": str(version), "reason": "r", "waive_gates": "a fire drill"}
    assert site.client("operator").post("/v1/rollouts", json=body).status_code == 403
    rollout = site.release(version, "releaser", waive_gates="a fire drill")
    assert rollout["phase"] == "Verifying"
    assert rollout["gates"][-1]["status"] == "Waived"
    assert [(d["kind"], d["verdict"]) for d in site.decisions(rollout["id"])] == [
        ("gates", "NotPassed"),
        ("operator", "Waived"),
    ]
    assert all(d["recomputed"] for d in site.decisions(rollout["id"]))


def test_a_version_without_a_graph_cannot_be_waived_through(site: InProcess) -> None:
    rollout = site.release(site.version(Findings(exported=False)), "releaser", waive_gates="try me")
    assert rollout["phase"] == "Aborted"
    assert "never exported" in rollout["reason"]


def test_the_next_one_queues_and_starts_when_the_first_has_ended(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    first = site.canary(gateway)
    second = site.release(site.version())
    assert second["phase"] == "Queued"
    again = site.client("operator").post(
        "/v1/rollouts",
        json={"deployment": "reviews", "model_version": second["model_version_id"], "reason": "again"},
    )
    assert again.status_code == 409
    ok(site.client("operator").post(f"/v1/rollouts/{first['id']}:abort", json=WORD))
    assert site.phases() == ["Promoted", "Aborted", "Verifying"]


def test_what_its_gates_refuse_makes_room_for_whoever_waits_behind_it(site: InProcess) -> None:
    site.first_champion()
    first = site.canary(Gateway(site))
    for learnt in (Findings(exported=False), Findings(exported=False), Findings(), Findings()):
        site.release(site.version(learnt))
    ok(site.client("operator").post(f"/v1/rollouts/{first['id']}:abort", json=WORD))
    assert site.phases() == ["Promoted", "Aborted", "Aborted", "Aborted", "Verifying", "Queued"]


def test_a_newer_version_of_the_same_pipeline_supersedes_a_queued_one(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    for pipeline in ("retrain", "other", "retrain"):
        request = StartRollout("reviews", site.version(), "by a pipeline", pipeline=pipeline)
        with site.database.begin("pipeline") as uow:
            start_rollout(uow, request)
    assert site.phases() == ["Promoted", "Progressing", "Superseded", "Queued", "Queued"]


def test_two_releases_of_one_run_both_stay_in_the_queue(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    run = uuid4()
    for _ in range(2):
        request = StartRollout("reviews", site.version(), "by a pipeline", pipeline="retrain", run_id=run)
        with site.database.begin("pipeline") as uow:
            start_rollout(uow, request)
    assert site.phases() == ["Promoted", "Progressing", "Queued", "Queued"]
