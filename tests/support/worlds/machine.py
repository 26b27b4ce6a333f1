"""Real processes on one machine: `graftwork up` and the verbs as a person runs them, or each process for itself."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cached_property
from typing import Any, Final, Self
from uuid import UUID

import httpx

from controlplane.commands.spine.tokens import bootstrap_admin
from controlplane.continuations import open_database
from schemas.data.operators import Splits
from tests.support.builders.bases import build_tiny_base
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import TRAIN, operators
from tests.support.ports import free_ports
from tests.support.processes import ROOT, Process, Processes, descendants, told_of
from tests.support.waiting import wait_for

UP_SECONDS: Final = 120
LEASE_SECONDS: Final = 3
TOKEN: Final = "a-token-for-tests"


class Machine:
    """One home folder, one port and one database; whatever was started may be killed and started again."""

    def __init__(self, processes: Processes, environment: Mapping[str, str]) -> None:
        self.processes = processes
        self.home = processes.folder / "home"
        api, ui = free_ports(2)
        self.api_url = f"http://127.0.0.1:{api}"
        self.env = {
            "GRAFTWORK_HOME": str(self.home),
            "GRAFTWORK_PORT": str(api),
            "GRAFTWORK_UI_PORT": str(ui),
            "GRAFTWORK_JOB_LEASE_SECONDS": str(LEASE_SECONDS),
            "GRAFTWORK_SINGLETON_LEASE_SECONDS": str(LEASE_SECONDS),
            **environment,
        }
        """What whatever is started next is told."""
        self._lives = 0
        self._api: Process | None = None
        self._reconciler: Process | None = None
        self._worker: Process | None = None

    @classmethod
    def apart(cls, processes: Processes, database_url: str) -> Self:
        """With that database, which has its tables and gets its admin; each process is to be started for itself."""
        machine = cls(
            processes,
            {
                "GRAFTWORK_DATABASE_URL": database_url,
                "GRAFTWORK_TOKEN": TOKEN,
                "GRAFTWORK_SINGLETON_LEASE_SECONDS": "2",
                "GRAFTWORK_WORKER_POLL_SECONDS": "1",
                "GRAFTWORK_WORKER_GRACE_SECONDS": "1",
                "GRAFTWORK_FILE_ROOTS": str(processes.folder),
            },
        )
        machine.env["GRAFTWORK_API_URL"] = machine.api_url
        with closing(open_database(database_url)) as database, database.begin("bootstrap") as uow:
            bootstrap_admin(uow, TOKEN)
        return machine

    @property
    def admin_token(self) -> str:
        return (self.home / "admin.token").read_text().strip()

    def close(self) -> None:
        self._client.close()

    # --- as a person runs it ------------------------------------------------------------------------------------------

    def up(self) -> Process:
        """Returns once it says that it is up."""
        process = self.start("-m", "controlplane", "up", name=f"up-{self._lives + 1}")
        wait_for(lambda: "Graftwork is up" in process.output() or not process.running, "it is up", seconds=UP_SECONDS)
        assert process.running, process.output()
        return process

    def run(self, *arguments: str, code: int = 0, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """`graftwork …`, whose exit status must be `code`."""
        return self.command([sys.executable, "-m", "controlplane", *arguments], code=code, seconds=seconds)

    def command(
        self, argv: list[str], *, code: int = 0, seconds: float = 300, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            argv, cwd=ROOT, env=self.environment(env or {}), capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What `graftwork … --json` prints, which is JSON and nothing else."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def document(self, name: str, content: Mapping[str, Any]) -> str:
        """A file to hand to a verb."""
        file = self.processes.folder / f"{name}.json"
        file.write_text(json.dumps(content))
        return str(file)

    def family(self, process: Process) -> dict[int, str]:
        """Every process that `up` has started, and what those have: pid to command line."""
        return {pid: told_of(pid, "cmdline") for pid in descendants(process.pid)}

    def gateway(self, deployment: str) -> str:
        """Its address, as scripts look it up."""
        return str(json.loads((self.home / "gateways.json").read_text())[deployment])

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": "1", **self.env, **more}

    # --- each process for itself --------------------------------------------------------------------------------------

    def start(self, *arguments: str, name: str | None = None) -> Process:
        """`python …`, which goes on."""
        self._lives += 1
        return self.processes.python(name or f"process-{self._lives}", *arguments, env=self.env)

    def api(self, seconds: float = 60) -> Process:
        """Returns once it is ready, which may take so long."""
        self._api = self.start("-m", "controlplane", "api")
        wait_for(self.is_ready, "the API is ready", seconds=seconds)
        return self._api

    def kill_api(self) -> None:
        assert self._api is not None
        self._api.kill()

    def reconciler(self) -> Process:
        """The one that runs, or a new one."""
        if self._reconciler is None or not self._reconciler.running:
            self._reconciler = self.start("-m", "controlplane", "reconciler")
        return self._reconciler

    def worker(self, name: str, *kinds: str) -> Process:
        arguments = (*(kinds or ("curate", "train")), "--name", name)
        return self.start("-m", "workers.runtime", *arguments, name=f"{name}-{self._lives + 1}")

    def some_worker(self) -> Process:
        """The one that a test before has left, or a new one."""
        if self._worker is None or not self._worker.running:
            self._worker = self.worker("some")
        return self._worker

    def tidy_up(self) -> None:
        """No job is open, and nobody works but API, reconciler and some worker, if it is idle."""
        open_jobs = [
            job["id"]
            for phase in ("Pending", "Running")
            for job in self.get("/v1/jobs", phase=phase, limit=100)["items"]
        ]
        for job_id in open_jobs:
            self.post(f"/v1/jobs/{job_id}:cancel")
        kept = {self._api, self._reconciler, None if open_jobs else self._worker}
        self.dismiss(*(process for process in self.processes.all if process not in kept))

    def dismiss(self, *dismissed: Process) -> None:
        """Kills them; when none is named, some worker."""
        self.processes.kill(dismissed or [one for one in (self._worker,) if one])

    # --- the API of processes that were started apart -----------------------------------------------------------------

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.api_url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=30)

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

    # --- what is asked of it ------------------------------------------------------------------------------------------

    def curate_spec(self, rows: int = 200) -> dict[str, Any]:
        """A file of so many rows."""
        file = self.processes.folder / f"rows-{rows}.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("text", "label"))
            # a row's number makes it unlike the others: equal rows would be left out
            writer.writerows((f"{text} {number}", label) for number, (text, label) in enumerate(planted_rows(rows)))
        return {"dataset": "reviews", "sources": [{"uri": file.as_uri()}], "operators": operators(Splits(test=0.1))}

    def train_spec(self, epochs: int) -> dict[str, Any]:
        """A training that goes on for a while: some 40 steps an epoch."""
        base = self.processes.folder / "tiny"
        if not base.exists():
            build_tiny_base(base)
        small = {"method": {"type": "lora", "r": 2}, "batch_size": 4, "max_length": 16, "checkpoint_steps": 5}
        return {**TRAIN, "base_model": base.as_uri(), "epochs": epochs, **small}


def job_pid(worker: Process, job_id: str | UUID) -> int:
    """Of the process that runs that job, as its worker's log says."""
    pattern = re.compile(rf"job {job_id} .*: pid (\d+)")
    return int(wait_for(lambda: pattern.findall(worker.output()), "the worker says the job's pid")[-1])
