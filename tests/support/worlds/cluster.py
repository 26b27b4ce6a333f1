"""Every process of ours on its own, on PostgreSQL and Kafka: started, killed and replaced one by one."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import httpx

from controlplane.client.client import Client
from schemas.roles import Role
from tests.support.ports import free_ports
from tests.support.processes import ROOT, Process, Processes
from tests.support.waiting import wait_for

START_SECONDS = 90
"""A worker or a gateway imports much, and the machine is small."""
CONTROL_PLANE = ("relay", "reactions", "reconciler")


@dataclass(frozen=True)
class Places:
    """Where a cluster finds its real parts."""

    database_url: str
    bootstrap_servers: str
    downloads: Path


class Cluster:
    """Processes by name. A worker or gateway has a home and a token of its own; they share the artifact store."""

    def __init__(self, processes: Processes, places: Places) -> None:
        self._processes = processes
        self._places = places
        self.folder = processes.folder
        self.admin_token = token_urlsafe(24)
        ports = free_ports(3)
        self.api_url = f"http://127.0.0.1:{ports[0]}"
        self.gateways = {f"gateway-{number}": f"http://127.0.0.1:{port}" for number, port in enumerate(ports[1:], 1)}
        self.artifacts = self.folder / "artifacts"
        self.running: dict[str, Process] = {}
        self._tokens: dict[Role, str] = {}

    def start(self) -> None:
        """Everything but the gateways, whose deployment has to exist."""
        upgraded = self._processes.python("db-upgrade", "-m", "controlplane", "db", "upgrade", env=self._environment())
        assert upgraded.wait() == 0, upgraded.output()
        self.start_api()
        for name in CONTROL_PLANE:
            self._start(name, "controlplane", name)
        for number in (1, 2):
            self.start_worker(f"worker-{number}")

    def start_api(self) -> None:
        """Returns once it is ready."""
        process = self._start("api", "controlplane", "api")
        wait_for(lambda: self._is_ready("/readyz") or not process.running, "the API is ready", seconds=START_SECONDS)
        assert process.running, process.output()[-3000:]

    def start_worker(self, name: str) -> None:
        self._start(name, "workers.runtime", "all", "--name", name, role="worker")

    def start_gateways(self, deployment: str) -> None:
        """Returns once the control plane sees them all alive."""
        for name, url in self.gateways.items():
            port = url.rpartition(":")[2]
            self._start(
                name, "workers.serve", "--deployment", deployment, "--port", port, "--name", name, role="gateway"
            )
        with self.client() as client:
            wait_for(
                lambda: sum(gateway.live for gateway in client.list_gateways(deployment)) == len(self.gateways),
                "both gateways are alive",
                seconds=START_SECONDS,
            )

    def kill(self, name: str) -> Process:
        """SIGKILL, as a power cut does it."""
        process = self.running.pop(name)
        process.kill()
        return process

    def client(self) -> Client:
        return Client(self.api_url, self.admin_token)

    def run(self, *arguments: str) -> str:
        """`graftwork …` as the admin: what it printed, whether or not it was refused."""
        done = subprocess.run(
            [sys.executable, "-m", "controlplane", *arguments],
            cwd=ROOT, env={**os.environ, **self._environment(), "GRAFTWORK_TOKEN": self.admin_token},
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout + done.stderr

    def token(self, role: Role) -> str:
        """Minted once for each role."""
        if role not in self._tokens:
            with self.client() as client:
                self._tokens[role] = client.create_token(f"test-{role}", role).token
        return self._tokens[role]

    def faults(self) -> list[str]:
        """Processes that should run and do not."""
        return [f"{name}:\n{process.output()[-2000:]}" for name, process in self.running.items() if not process.running]

    def _start(self, name: str, module: str, *arguments: str, role: Role | None = None) -> Process:
        environment = self._environment(name)
        if role is not None:
            environment = {**environment, "GRAFTWORK_TOKEN": self.token(role)}
            del environment["GRAFTWORK_BOOTSTRAP_TOKEN"], environment["GRAFTWORK_DATABASE_URL"]
        self.running[name] = self._processes.python(name, "-m", module, *arguments, env=environment)
        return self.running[name]

    def _environment(self, name: str = "control-plane") -> dict[str, str]:
        shared: Mapping[str, str] = {
            "GRAFTWORK_HOME": str(self.folder / "homes" / name),
            "GRAFTWORK_API_URL": self.api_url,
            "GRAFTWORK_PORT": self.api_url.rpartition(":")[2],
            "GRAFTWORK_DATABASE_URL": self._places.database_url,
            "GRAFTWORK_BOOTSTRAP_TOKEN": self.admin_token,
            "GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS": self._places.bootstrap_servers,
            "GRAFTWORK_ARTIFACTS_URL": self.artifacts.as_uri(),
            "GRAFTWORK_SOURCES_CACHE": str(self._places.downloads),
            "GRAFTWORK_JOB_LEASE_SECONDS": "3",
            "GRAFTWORK_SINGLETON_LEASE_SECONDS": "3",
        }
        return dict(shared)

    def _is_ready(self, path: str) -> bool:
        try:
            return httpx.get(self.api_url + path, timeout=5).is_success
        except httpx.HTTPError:
            return False
