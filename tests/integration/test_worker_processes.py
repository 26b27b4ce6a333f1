"""Workers as real processes: killed, stopped, cancelled and cut off, and every job still ends once."""

import os
import signal
import time
from contextlib import closing
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.continuations import open_database
from controlplane.store.tables import JobRow
from tests.support.processes import Process, is_alive
from tests.support.waiting import wait_for
from tests.support.worlds.machine import LEASE_SECONDS, Machine, job_pid

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG, FOR_EVER = 20, 100


def training(machine: Machine, epochs: int, **asked: str) -> tuple[str, Process, int]:
    """(job, worker, the job's pid) of a training that runs and has saved a checkpoint."""
    worker = machine.some_worker()
    if not machine.get("/v1/datasets")["items"]:
        machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    job_id = machine.request("train", machine.train_spec(epochs) | asked)
    machine.until(job_id, lambda job: job["checkpoint"], "the training saves a checkpoint")
    return job_id, worker, job_pid(worker, job_id)


def gone(pid: int) -> None:
    wait_for(lambda: not is_alive(pid), f"the job's process {pid} is gone")


def test_a_killed_workers_job_dies_with_it_and_goes_on_elsewhere_from_its_checkpoint(machine: Machine) -> None:
    machine.reconciler()
    job_id, worker, pid = training(machine, LONG, model="resumed")
    worker.kill()
    gone(pid)
    checkpoint = machine.job(job_id)["checkpoint"]["step"]
    machine.some_worker()
    job = machine.until_phase(job_id, "Succeeded")
    assert (job["attempt"], job["failures"]) == (2, 1)
    assert machine.facts(job_id) == ["requested", "started", "requested", "started", "succeeded"]
    resumed = [int(line.split()[-1]) for line in machine.logs(job_id) if line.startswith("resumed at step")]
    assert len(resumed) == 1
    assert resumed[0] >= checkpoint > 0, "a report that was under way when the worker died may come after it"
    assert len(machine.get("/v1/models/resumed/versions")["items"]) == 1


def test_a_worker_that_was_stopped_finds_its_lease_lost_and_ends_its_job(machine: Machine) -> None:
    machine.reconciler()
    job_id, zombie, pid = training(machine, LONG)
    zombie.pause()
    machine.until_phase(job_id, "Pending")
    second = machine.worker("second")
    machine.until(job_id, lambda job: job["attempt"] == 2, "the second attempt")
    zombie.resume()
    gone(pid)
    job = machine.until_phase(job_id, "Succeeded")
    assert job["attempt"] == 2
    assert job["owner"].startswith("second")
    assert machine.facts(job_id).count("succeeded") == 1
    assert second.running
    assert zombie.running


def test_a_worker_that_is_told_to_stop_hands_its_job_back_for_nothing(machine: Machine) -> None:
    work = machine.home / "work"
    of_the_killed = set(work.glob("*"))
    job_id, worker, pid = training(machine, FOR_EVER)
    assert set(work.iterdir()) - of_the_killed
    assert worker.stop() == 0
    assert not is_alive(pid)
    job = machine.job(job_id)
    assert (job["phase"], job["attempt"], job["failures"]) == ("Pending", 1, 0)
    assert job["checkpoint"]["step"] > 0
    assert "told to stop" in job["reason"]
    assert set(work.iterdir()) <= of_the_killed


def test_a_cancelled_job_is_ended_and_its_worker_takes_the_next(machine: Machine) -> None:
    job_id, worker, pid = training(machine, FOR_EVER)
    assert machine.post(f"/v1/jobs/{job_id}:cancel")["cancel_requested"]
    machine.until_phase(job_id, "Cancelled")
    gone(pid)
    machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    assert worker.running


def test_a_crash_of_the_jobs_process_costs_an_attempt_and_not_the_worker(machine: Machine) -> None:
    job_id, worker, pid = training(machine, LONG)
    os.kill(pid, signal.SIGKILL)
    failed = machine.until(job_id, lambda job: job["failures"] == 1, "the failure is counted")
    assert "killed by signal 9 (SIGKILL), as when memory runs out" in failed["reason"]
    machine.until_phase(job_id, "Succeeded")
    assert worker.running


def test_what_a_job_knows_to_be_wrong_fails_it_once_with_its_reason(machine: Machine) -> None:
    machine.some_worker()
    spec = {"dataset": "reviews", "sources": [{"uri": "file:///etc/passwd", "format": "csv"}]}
    job = machine.until_phase(machine.request("curate", spec), "Failed")
    assert job["attempt"] == 1
    assert "allowed folders" in job["reason"]


def test_an_outage_of_the_control_plane_costs_no_attempt(machine: Machine) -> None:
    """Longer than a lease, API and reconciler both; the reconciler comes back first."""
    job_id, _, pid = training(machine, FOR_EVER)
    reconciler = machine.reconciler()
    machine.kill_api()
    reconciler.kill()
    time.sleep(LEASE_SECONDS * 1.5)  # the outage itself
    machine.reconciler()
    machine.api()
    before = machine.job(job_id)
    assert (before["phase"], before["attempt"]) == ("Running", 1)
    step = before["progress"]["step"]
    after = machine.until(job_id, lambda job: job["progress"]["step"] > step, "the job is heard of again")
    assert (after["attempt"], after["failures"]) == (1, 0)
    assert is_alive(pid)


def test_a_spec_with_a_field_that_the_worker_does_not_know_is_handed_back(machine: Machine) -> None:
    machine.dismiss()
    job_id = machine.request("curate", machine.curate_spec())
    with (
        closing(open_database(machine.env["GRAFTWORK_DATABASE_URL"])) as database,
        database.begin("a newer control plane") as uow,
    ):
        job = uow.session.exec(select(JobRow).where(JobRow.id == UUID(job_id))).one()
        job.spec = {**job.spec, "privacy": {"epsilon": 1}}
    machine.worker("old")
    released = machine.until(job_id, lambda job: job["reason"], "the job is released")
    assert (released["phase"], released["failures"]) == ("Pending", 0)
    assert "privacy" in released["reason"]


def test_a_worker_with_a_wrong_token_says_so_and_ends(machine: Machine) -> None:
    machine.env["GRAFTWORK_TOKEN"] = "unknown"
    worker = machine.worker("first")
    assert worker.wait() == 1
    assert "401" in worker.output()
    assert "unknown" not in worker.output().replace("unknown tokens", "")
