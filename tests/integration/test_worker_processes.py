"""Workers as real processes: killed, stopped, cancelled and cut off, and every job still ends once."""

import os
import signal
import time

import pytest
from sqlmodel import select

from controlplane.store.database import Database
from controlplane.store.tables import JobRow
from tests.support.plant import LEASE_SECONDS, Plant, is_alive, job_pid
from tests.support.processes import Process
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG, FOR_EVER = 20, 100


def training(plant: Plant, epochs: int) -> tuple[str, Process, int]:
    """(job, worker, the job's pid) of a training that runs and has saved a checkpoint."""
    worker = plant.worker("first")
    curation = plant.request("curate", plant.curate_spec())
    plant.until_phase(curation, "Succeeded")
    job_id = plant.request("train", plant.train_spec(epochs))
    plant.until(job_id, lambda job: job["checkpoint"], "the training saves a checkpoint")
    return job_id, worker, job_pid(worker, job_id)


def gone(pid: int) -> None:
    wait_for(lambda: not is_alive(pid), f"the job's process {pid} is gone")


def test_a_killed_workers_job_dies_with_it_and_goes_on_elsewhere_from_its_checkpoint(plant: Plant) -> None:
    plant.reconciler()
    job_id, worker, pid = training(plant, LONG)
    worker.kill()
    gone(pid)
    checkpoint = plant.job(job_id)["checkpoint"]["step"]
    plant.worker("second")
    job = plant.until_phase(job_id, "Succeeded")
    assert (job["attempt"], job["failures"]) == (2, 1)
    assert plant.facts(job_id) == ["requested", "started", "requested", "started", "succeeded"]
    resumed = [int(line.split()[-1]) for line in plant.logs(job_id) if line.startswith("resumed at step")]
    assert len(resumed) == 1
    assert resumed[0] >= checkpoint > 0, "a report that was under way when the worker died may come after it"
    assert len(plant.get("/v1/models/sentiment/versions")["items"]) == 1


def test_a_worker_that_was_stopped_finds_its_lease_lost_and_ends_its_job(plant: Plant) -> None:
    plant.reconciler()
    job_id, zombie, pid = training(plant, LONG)
    zombie.pause()
    plant.until_phase(job_id, "Pending")
    second = plant.worker("second")
    plant.until(job_id, lambda job: job["attempt"] == 2, "the second attempt")
    zombie.resume()
    gone(pid)
    job = plant.until_phase(job_id, "Succeeded")
    assert job["attempt"] == 2
    assert job["owner"].startswith("second")
    assert plant.facts(job_id).count("succeeded") == 1
    assert second.running
    assert zombie.running


def test_a_worker_that_is_told_to_stop_hands_its_job_back_for_nothing(plant: Plant) -> None:
    job_id, worker, pid = training(plant, FOR_EVER)
    assert worker.stop() == 0
    assert not is_alive(pid)
    job = plant.job(job_id)
    assert (job["phase"], job["attempt"], job["failures"]) == ("Pending", 1, 0)
    assert job["checkpoint"]["step"] > 0
    assert "told to stop" in job["reason"]
    assert not list((plant.folder / "work").iterdir())


def test_a_cancelled_job_is_ended_and_its_worker_takes_the_next(plant: Plant) -> None:
    job_id, worker, pid = training(plant, FOR_EVER)
    assert plant.post(f"/v1/jobs/{job_id}:cancel")["cancel_requested"]
    plant.until_phase(job_id, "Cancelled")
    gone(pid)
    plant.until_phase(plant.request("curate", plant.curate_spec()), "Succeeded")
    assert worker.running


def test_a_crash_of_the_jobs_process_costs_an_attempt_and_not_the_worker(plant: Plant) -> None:
    job_id, worker, pid = training(plant, LONG)
    os.kill(pid, signal.SIGKILL)
    failed = plant.until(job_id, lambda job: job["failures"] == 1, "the failure is counted")
    assert "killed by signal 9 (SIGKILL), as when memory runs out" in failed["reason"]
    plant.until_phase(job_id, "Succeeded")
    assert worker.running


def test_an_outage_of_the_control_plane_costs_no_attempt(plant: Plant) -> None:
    """Longer than a lease, API and reconciler both; the reconciler comes back first."""
    job_id, _, pid = training(plant, FOR_EVER)
    reconciler = plant.reconciler()
    for process in plant.processes.all:
        if process is not reconciler and process.name.startswith("process"):
            process.kill()
    reconciler.kill()
    time.sleep(LEASE_SECONDS * 1.5)  # the outage itself
    plant.reconciler()
    plant.api()
    before = plant.job(job_id)
    assert (before["phase"], before["attempt"]) == ("Running", 1)
    step = before["progress"]["step"]
    after = plant.until(job_id, lambda job: job["progress"]["step"] > step, "the job is heard of again")
    assert (after["attempt"], after["failures"]) == (1, 0)
    assert is_alive(pid)


def test_a_spec_with_a_field_that_the_worker_does_not_know_is_handed_back(
    plant: Plant, sqlite_database: Database
) -> None:
    job_id = plant.request("curate", plant.curate_spec())
    with sqlite_database.begin("a newer control plane") as uow:
        job = uow.session.exec(select(JobRow)).one()
        job.spec = {**job.spec, "privacy": {"epsilon": 1}}
    plant.worker("old")
    released = plant.until(job_id, lambda job: job["reason"], "the job is released")
    assert (released["phase"], released["failures"]) == ("Pending", 0)
    assert "privacy" in released["reason"]


def test_what_a_job_knows_to_be_wrong_fails_it_once_with_its_reason(plant: Plant) -> None:
    plant.worker("first")
    spec = {"dataset": "reviews", "sources": [{"uri": "file:///etc/passwd", "format": "csv"}]}
    job = plant.until_phase(plant.request("curate", spec), "Failed")
    assert job["attempt"] == 1
    assert "allowed folders" in job["reason"]


def test_a_worker_with_a_wrong_token_says_so_and_ends(plant: Plant) -> None:
    plant.env["GRAFTWORK_TOKEN"] = "unknown"
    worker = plant.worker("first")
    assert worker.wait() == 1
    assert "401" in worker.output()
    assert "unknown" not in worker.output().replace("unknown tokens", "")
