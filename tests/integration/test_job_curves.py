"""Curves of jobs: what a worker measured is kept by step, and of a private job nothing is, whoever sends it."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.commands.jobs import reports
from controlplane.projections.jobs import read_curves
from controlplane.store.database import Database
from controlplane.store.tables import JobCurveRow
from schemas.claims import Claim, CurvePoint, Progress
from tests.support.builders.results import curated
from tests.support.builders.specs import HEAD, TRAIN, lora
from tests.support.jobs import Jobs
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.machine import Machine

PRIVACY = {"epsilon": 8, "delta": 1e-5, "steps": 5}


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


def training(jobs: Jobs, **fields: Any) -> tuple[UUID, Claim]:
    jobs.request()
    dataset = jobs.complete(jobs.claimed(), curated()).outputs["dataset"]  # type: ignore[index]
    return jobs.request("train", TRAIN | {"dataset": dataset, "method": lora(r=2)} | fields), jobs.claimed("train")


def losses(*steps: int, at: float = 0.5) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(step=step, values={"loss": at / step}) for step in steps)


def curve_of(jobs: Jobs, job: UUID) -> dict[int, float]:
    with jobs.database.read() as session:
        found = read_curves(session, job)
    assert [one.name for one in found] in ([], ["loss"])
    return dict(zip(found[0].steps, found[0].values, strict=True)) if found else {}


def test_what_a_job_measured_is_kept_by_step(jobs: Jobs) -> None:
    job, claim = training(jobs)
    jobs.beat(claim, curve=losses(1, 2))
    jobs.beat(claim, curve=(CurvePoint(step=3, values={"learning_rate": 1e-4, "loss": 0.1}),))
    with jobs.database.read() as session:
        found = {one.name: (one.steps, one.values) for one in read_curves(session, job)}
    assert found == {"loss": ([1, 2, 3], [0.5, 0.25, 0.1]), "learning_rate": ([3], [1e-4])}


def test_a_heartbeat_that_comes_twice_draws_one_curve(jobs: Jobs) -> None:
    job, claim = training(jobs)
    for _ in range(2):
        jobs.beat(claim, curve=losses(1, 2))
    assert curve_of(jobs, job) == {1: 0.5, 2: 0.25}


def test_the_attempt_that_took_a_step_last_is_the_one_that_is_drawn(jobs: Jobs) -> None:
    job, claim = training(jobs)
    jobs.beat(claim, curve=losses(1, 2, 3, 4, at=1.0))
    jobs.release(claim)
    other = Jobs(jobs.database, "worker-2")
    again = other.claimed("train")
    other.beat(again, curve=losses(3, 5, at=9.0))
    assert curve_of(jobs, job) == {1: 1.0, 2: 0.5, 3: 3.0, 5: 1.8}


def test_a_curve_has_an_end(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_CURVE_POINTS", 3)
    job, claim = training(jobs)
    jobs.beat(claim, curve=losses(1, 2))
    jobs.beat(claim, curve=losses(3, 4))
    jobs.beat(claim, curve=losses(5))
    assert list(curve_of(jobs, job)) == [1, 2, 3]


def test_of_a_private_job_no_number_is_kept_whatever_its_worker_sends(jobs: Jobs) -> None:
    job, claim = training(jobs, method=HEAD, privacy=PRIVACY)
    jobs.beat(
        claim, curve=losses(1, 2), progress=Progress(step=2, total=5, metrics={"loss": 0.25, "learning_rate": 1e-4})
    )
    with jobs.database.read() as session:
        assert not session.exec(select(JobCurveRow)).all()
        assert reports.is_private(session, job)
    kept = jobs.get(job)
    assert kept.progress is not None
    assert (kept.progress["step"], kept.progress["total"], kept.progress["metrics"]) == (2, 5, {})


def test_the_api_says_why_a_private_job_has_no_curve(sqlite_database: Database) -> None:
    jobs, viewer = Jobs(sqlite_database), InProcess(sqlite_database).client("viewer")
    open_, claim = training(jobs)
    jobs.beat(claim, curve=losses(1, 2))
    assert viewer.get(f"/v1/jobs/{open_}/curves").json() == {
        "curves": [{"name": "loss", "steps": [1, 2], "values": [0.5, 0.25]}],
        "note": None,
    }
    private = jobs.request("train", TRAIN | {"dataset": "reviews@latest", "method": HEAD, "privacy": PRIVACY})
    answer = viewer.get(f"/v1/jobs/{private}/curves").json()
    assert answer["curves"] == []
    assert "trains privately" in answer["note"]


# --- by real workers --------------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.slow
def test_a_training_leaves_its_curve_and_a_private_one_nothing_anywhere(machine: Machine) -> None:
    machine.worker("first")
    machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    job = machine.request("train", machine.train_spec(epochs=2))
    steps = machine.until_phase(job, "Succeeded")["result"]["steps"]
    found = {one["name"]: one for one in machine.get(f"/v1/jobs/{job}/curves")["curves"]}
    loss = found["loss"]["values"]
    assert found["loss"]["steps"][-1] == found["learning_rate"]["steps"][-1] == steps
    assert loss[-1] < loss[0]
    assert any(f"step {steps}/{steps}" in line for line in machine.logs(job))
    private = machine.request("train", {**machine.train_spec(epochs=2), "method": HEAD, "privacy": PRIVACY})
    machine.until_phase(private, "Succeeded")
    answer = machine.get(f"/v1/jobs/{private}/curves")
    assert (answer["curves"], "trains privately" in answer["note"]) == ([], True)
    assert any("no curve is kept" in line for line in machine.logs(private))
    kept = machine.job(private)
    assert (kept["progress"]["metrics"], kept["result"]["validation_accuracy"]) == ({}, None)
    events = [one for one in machine.get("/v1/events", after=0, limit=1000)["items"] if private in json.dumps(one)]
    assert events
    told = [*machine.logs(private), *map(json.dumps, events)]
    assert [line for line in told if "loss" in line or 'accuracy"' in line] == []
