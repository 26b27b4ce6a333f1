"""Runs every process of the embedded mode on one machine: starts, watches, restarts, stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from controlplane.cli.progress import Clock
from controlplane.cli.watching import EVERY_SECONDS
from controlplane.commands.spine.audit import note_local
from controlplane.commands.spine.tokens import authenticate, create_token
from controlplane.errors import Busy, GraftworkError, Unauthorized
from controlplane.projections.deployments import deployment_names
from controlplane.settings import Settings
from controlplane.store.database import Database
from processes.parent import die_with_parent
from processes.private_file import write_private
from processes.stopping import STOP_SECONDS
from schemas.roles import Role

GATEWAY_PORTS_ABOVE_API = 10
NOT_FOR_CLIENTS = ("GRAFTWORK_TOKEN", "GRAFTWORK_TOKEN_FILE", "GRAFTWORK_BOOTSTRAP_TOKEN", "GRAFTWORK_DATABASE_URL")
"""A worker and a gateway have a token of their role, the web UI has none, and none of them a way to the database."""
LONGEST_WAIT_SECONDS = 30.0
API_SECONDS = 180.0
"""So long the API may take to be ready: a machine that is busy takes a minute to load it."""


class CannotStart(GraftworkError):
    """A process could not be started"""

    status = 500
    slug = "cannot-start"


@dataclass
class Child:
    """One process of ours; `restarts` slows a process down that dies again and again."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    not_before: float = 0.0
    started_at: float = 0.0

    def start_again(self, now: float) -> None:
        """Whoever dies young again and again has to wait longer each time; a long life is forgiven everything."""
        if now - self.started_at > LONGEST_WAIT_SECONDS:
            self.restarts = 0
        self.restarts += 1
        self.not_before = now + min(LONGEST_WAIT_SECONDS, 2.0**self.restarts)
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor, which stops the rest in order
                preexec_fn=partial(die_with_parent, signal.SIGTERM),  # a supervisor that is SIGKILLed takes all with it
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """`start`, then `watch` until told to stop, then `stop`."""

    settings: Settings
    database: Database
    say: Callable[[str], None]
    workers: int = 1
    children: list[Child] = field(default_factory=list)
    gateway_ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Start all but the gateways, and wait until the API is ready. Raises CannotStart with the reason."""
        self._refuse_a_taken_port()
        self.settings.data_folder().mkdir(parents=True, exist_ok=True)
        (self.settings.home / "logs").mkdir(exist_ok=True)
        self._add("api", ["controlplane", "api"])
        wait_for_api(self.children[-1], self.settings.served_api_url(), self.say)
        write_private(self.settings.api_url_file(), self.settings.served_api_url())
        self._add("reconciler", ["controlplane", "reconciler"])
        self._add("reactions", ["controlplane", "reactions"])
        self._add("ui", ["controlplane", "ui"], is_client=True)
        write_private(self.settings.ui_url_file(), self.settings.served_ui_url())
        if self.settings.kafka_bootstrap_servers:
            self._add("relay", ["controlplane", "relay"])
        for number in range(1, self.workers + 1):
            name = f"worker-{number}"
            self._add(name, ["workers.runtime", "all", "--name", name], role="worker")

    def watch(self, stop: threading.Event) -> None:
        """Restart what died, and give every deployment a gateway."""
        while not stop.wait(1.0):
            for child in self.children:
                if not child.alive and time.monotonic() >= child.not_before:
                    self.say(f"{child.name} ended; starting it again ({child.log})")
                    child.start_again(time.monotonic())
            for deployment in self.deployments():
                if deployment not in self.gateway_ports:
                    self._add_gateway(deployment)

    def stop(self) -> None:
        """SIGTERM, the API last so that the others can still say what they have done; then SIGKILL."""
        end(self.children[1:])
        end(self.children[:1])

    def _add(self, name: str, arguments: list[str], role: Role | None = None, *, is_client: bool = False) -> None:
        """`role`: it has a token of that role. `is_client`: it has none, and whoever uses it brings one."""
        environment = {
            **os.environ,
            "GRAFTWORK_HOME": str(self.settings.home.absolute()),
            "GRAFTWORK_API_URL": self.settings.served_api_url(),
            "GRAFTWORK_HOST": self.settings.host,
            "GRAFTWORK_PORT": str(self.settings.port),
            "GRAFTWORK_ARTIFACTS_URL": self.settings.resolved_artifacts_url(),
            "GRAFTWORK_FILE_ROOTS": os.pathsep.join(self._file_roots()),
        }
        if role or is_client:
            for secret in NOT_FOR_CLIENTS:
                environment.pop(secret, None)
        if role:
            environment["GRAFTWORK_TOKEN_FILE"] = str(self._role_token(role))
        child = Child(name, arguments, environment, self.settings.home / "logs" / f"{name}.log")
        child.start()
        self.children.append(child)

    def _file_roots(self) -> list[str]:
        """What `graftwork dataset import` copies is readable to workers here; the user's own roots stay."""
        given = os.environ.get("GRAFTWORK_FILE_ROOTS", "").split(os.pathsep)
        return [str(self.settings.data_folder()), *(root for root in given if root)]

    def _add_gateway(self, deployment: str) -> None:
        taken = self.gateway_ports.values()
        candidates = (self._former_port(deployment), *range(self.settings.port + GATEWAY_PORTS_ABOVE_API, 65536))
        port = next(p for p in candidates if p and p not in taken and _free(p))
        self.gateway_ports[deployment] = port
        write_private(self._addresses(), json.dumps({name: address(p) for name, p in self.gateway_ports.items()}))
        name = f"gateway-{deployment}"
        self._add(
            name,
            ["workers.serve", "--deployment", deployment, "--port", str(port), "--name", name],
            role="gateway",
        )
        self.say(f"gateway of {deployment}: {address(port)}")

    def _addresses(self) -> Path:
        """Where scripts look up each deployment's gateway."""
        return self.settings.home / "gateways.json"

    def _former_port(self, deployment: str) -> int | None:
        """Its callers still have its address from the last time."""
        try:
            return urlsplit(str(json.loads(self._addresses().read_text())[deployment])).port
        except (OSError, ValueError, KeyError):
            return None

    def _role_token(self, role: Role) -> Path:
        """A token of its own for each role, in a 0600 file; minted again when this database does not know it."""
        file = self.settings.home / "tokens" / f"{role}.token"
        if not self._opens(file):
            with self.database.begin("graftwork up") as uow:
                row, plain = create_token(uow, f"up-{role}", role)
                note_local(uow, "token.create", f"token/{row.id}")
            write_private(file, plain)
        return file

    def _opens(self, file: Path) -> bool:
        try:
            with self.database.read() as session:
                authenticate(session, file.read_text().strip())
        except (FileNotFoundError, Unauthorized):
            return False
        return True

    def deployments(self) -> list[str]:
        """All of them, however many; none while the database is busy: the next look asks again."""
        try:
            with self.database.read() as session:
                return deployment_names(session)
        except Busy:
            return []

    def _refuse_a_taken_port(self) -> None:
        for port, setting in (
            (self.settings.port, "GRAFTWORK_PORT"),
            (self.settings.served_ui_port(), "GRAFTWORK_UI_PORT"),
        ):
            if not _free(port, self.settings.host):
                raise CannotStart(
                    f"port {port} of {self.settings.host} is taken: another `graftwork up`? "
                    f"Stop it, or set {setting} to another port"
                )


def end(children: Sequence[Child]) -> None:
    """All at once: their drains take no longer together than the longest of them."""
    living = [child.process for child in children if child.alive and child.process]
    for process in living:
        process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for process in living:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_api(api: Child, url: str, say: Callable[[str], None], clock: Clock = time.monotonic) -> None:
    """Until it is ready. Raises CannotStart when its process has ended, or the time is over."""
    began = told = clock()
    while not _is_ready(url):
        now = clock()
        if not api.alive:
            raise CannotStart(f"the API ended after {now - began:.0f} s; see {api.log}")
        if now - began >= API_SECONDS:
            raise CannotStart(f"the API was not ready in {API_SECONDS:.0f} s; see {api.log}")
        if now - told >= EVERY_SECONDS:
            told = now
            say(f"waiting for the API to start, {now - began:.0f} s so far (at most {API_SECONDS:.0f} s) …")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def address(port: int) -> str:
    """The URL of a gateway on this machine: gateways listen on loopback."""
    return f"http://127.0.0.1:{port}"


def _free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
