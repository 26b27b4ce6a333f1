"""An API, a reconciler and workers as real processes on one SQLite database."""

import csv
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from tests.support.ports import free_ports
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for
from tests.support.workbench import build_tiny_base, planted_rows

LEASE_SECONDS = 3
TOKEN = "a-token-for-tests"


class Plant:
    """Started empty; `database_url` is a migrated one."""

    def __init__(self, processes: Processes, folder: Path, database_url: str) -> None:
        self.processes = processes
        self.folder = folder
        self.port = free_ports(1)[0]
        self.env = {
            "GRAFTWORK_HOME": str(folder),
            "GRAFTWORK_DATABASE_URL": database_url,
            "GRAFTWORK_PORT": str(self.port),
            "GRAFTWORK_API_URL": f"http://127.0.0.1:{self.port}",
            "GRAFTWORK_BOOTSTRAP_TOKEN": TOKEN,
            "GRAFTWORK_TOKEN": TOKEN,
            "GRAFTWORK_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
            "GRAFTWORK_SINGLETON_LEASE_SECONDS": "2",
            "GRAFTWORK_WORKER_POLL_SECONDS": "1",
            "GRAFTWORK_WORKER_GRACE_SECONDS": "1",
            "GRAFTWORK_FILE_ROOTS": str(folder),
        }
        self._client = httpx.Client(
            base_url=self.env["GRAFTWORK_API_URL"], headers={"authorization": f"Bearer {TOKEN}"}, timeout=30
        )
        self._names = 0
        self.run("-m", "controlplane", "db", "upgrade").wait()

    def close(self) -> None:
        self._client.close()

    def run(self, *arguments: str, name: str | None = None) -> Process:
        self._names += 1
        return self.processes.python(name or f"process-{self._names}", *arguments, env=self.env)

    def api(self) -> Process:
        process = self.run("-m", "controlplane", "api")
        wait_for(self.is_ready, "the API is ready", seconds=60)
        return process

    def reconciler(self) -> Process:
        return self.run("-m", "controlplane", "reconciler")

    def worker(self, name: str, *kinds: str) -> Process:
        return self.run("-m", "workers.runtime", *(kinds or ("curate", "train")), "--name", name, name=name)

    def is_ready(self) -> bool:
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str, **params: Any) -> Any:
        return self._client.get(path, params=params).raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        return self._client.post(path, json=body).raise_for_status().json()

    def put(self, path: str, body: Any) -> Any:
        return self._client.put(path, json=body).raise_for_status().json()

    # --- jobs -------------------------------------------------------------------------------------------------------

    def request(self, kind: str, spec: dict[str, Any], **options: Any) -> str:
        return str(self.post("/v1/jobs", {"kind": kind, "spec": spec, **options})["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/v1/jobs/{job_id}")
        return job

    def logs(self, job_id: str) -> list[str]:
        return [line["line"] for line in self.get(f"/v1/jobs/{job_id}/logs")]

    def until(self, job_id: str, holds: Callable[[dict[str, Any]], object], what: str, seconds: float = 120) -> Any:
        """The job, once that holds of it; fails with the job and its log."""
        try:
            return wait_for(
                lambda: (job := self.job(job_id)) if holds(self.job(job_id)) else None, what, seconds=seconds
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.job(job_id)}\n{self.logs(job_id)[-30:]}") from None

    def until_phase(self, job_id: str, phase: str, seconds: float = 120) -> dict[str, Any]:
        job: dict[str, Any] = self.until(job_id, lambda job: job["phase"] == phase, f"the job is {phase}", seconds)
        return job

    def facts(self, job_id: str) -> list[str]:
        """Types of a job's facts, in order."""
        events = self.get("/v1/events", after=0, limit=1000)["items"]
        return [e["type"].split(".")[-2] for e in events if e["subject"] == f"job/{job_id}"]

    def curate_spec(self, rows: int = 200) -> dict[str, Any]:
        file = self.folder / f"rows-{rows}.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("text", "label"))
            # a row's number makes it unlike the others: equal rows would be left out
            writer.writerows((f"{text} {number}", label) for number, (text, label) in enumerate(planted_rows(rows)))
        return {"dataset": "reviews", "sources": [{"uri": file.as_uri()}], "splits": {"validation": 0.1, "test": 0.1}}

    def train_spec(self, epochs: int) -> dict[str, Any]:
        """A training that goes on for a while: some 40 steps an epoch."""
        base = self.folder / "tiny"
        if not base.exists():
            build_tiny_base(base)
        return {
            "model": "sentiment",
            "base_model": base.as_uri(),
            "dataset": "reviews@latest",
            "lora": {"r": 2},
            "epochs": epochs,
            "batch_size": 4,
            "max_length": 16,
            "checkpoint_steps": 5,
        }


def job_pid(worker: Process, job_id: str | UUID) -> int:
    """The pid of the process that runs a job, as its worker's log says."""
    pattern = re.compile(rf"job {job_id} .*: pid (\d+)")
    return int(wait_for(lambda: pattern.findall(worker.output()), "the worker says the job's pid")[-1])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # a killed process whose parent is gone may wait as a zombie for an init that takes its time
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
