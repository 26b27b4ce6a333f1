"""`graftwork up` and the other verbs as a person runs them on one machine, on SQLite."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.support.ports import free_ports
from tests.support.processes import ROOT, Process, Processes, descendants, told_of
from tests.support.waiting import wait_for

UP_SECONDS = 120


class OwnMachine:
    """One home folder and one port; `up` may be killed and started again."""

    def __init__(self, processes: Processes, environment: Mapping[str, str]) -> None:
        self.home = processes.folder / "home"
        self._processes = processes
        self._environment = {
            "GRAFTWORK_HOME": str(self.home),
            "GRAFTWORK_PORT": str(free_ports(1)[0]),
            "GRAFTWORK_JOB_LEASE_SECONDS": "3",
            "GRAFTWORK_SINGLETON_LEASE_SECONDS": "3",
            **environment,
        }
        self._lives = 0

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._environment['GRAFTWORK_PORT']}"

    @property
    def admin_token(self) -> str:
        return (self.home / "admin.token").read_text().strip()

    def up(self) -> Process:
        """Returns once it says that it is up."""
        self._lives += 1
        process = self._processes.python(f"up-{self._lives}", "-m", "controlplane", "up", env=self._environment)
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
        file = self._processes.folder / f"{name}.json"
        file.write_text(json.dumps(content))
        return str(file)

    def family(self, process: Process) -> dict[int, str]:
        """Every process that `up` has started, and what those have: pid to command line."""
        return {pid: told_of(pid, "cmdline") for pid in descendants(process.pid)}

    def gateway(self, deployment: str) -> str:
        """Its address, as scripts look it up."""
        return str(json.loads((self.home / "gateways.json").read_text())[deployment])

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": "1", **self._environment, **more}
