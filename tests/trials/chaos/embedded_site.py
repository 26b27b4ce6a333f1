"""`graftwork up` on SQLite with its own supervisor, and a second worker beside it whose clock can be moved."""

import json
from pathlib import Path
from secrets import token_urlsafe

from controlplane.client.client import Client
from tests.support.ports import free_ports
from tests.support.processes import Process
from tests.support.waiting import wait_for
from tests.trials.chaos.parts import Everything, OwnProcess, Supervised, Supervisor
from tests.trials.chaos.plan import CLOCKED
from tests.trials.chaos.site import DEPLOYMENT, START_SECONDS, ChaosSite

HOME = "gateway-home"
"""Named so that what the supervisor starts finds the API through the proxy."""
CHILDREN = {
    "api": "controlplane api",
    "reactions": "controlplane reactions",
    "reconciler": "controlplane reconciler",
    "worker-1": "--name worker-1",
    "gateway-1": "workers.serve",
}


class EmbeddedSite(ChaosSite):
    topology = "embedded"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, token_urlsafe(24))
        self._home = self.folder / "homes" / HOME
        (self._ui_port,) = free_ports(1)

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self._home / 'graftwork.db'}"

    def start(self) -> None:
        up = OwnProcess(self._up)
        up.start()
        wait_for(self.is_ready, "the API is ready", seconds=START_SECONDS)
        self.parts |= {name: Supervised(up, words) for name, words in CHILDREN.items()}
        self.parts |= {"supervisor": Supervisor(up), "everything": Everything(up)}
        self._up_part = up
        with Client(self.api_url, self.admin_token) as client:
            self.tokens["worker"] = client.create_token("chaos-worker", "worker").token
        worker = OwnProcess(self._worker)
        worker.start()
        self.parts[CLOCKED] = worker

    def start_gateways(self) -> None:
        """The supervisor sees the deployment by itself."""
        wait_for(lambda: DEPLOYMENT in self._addresses(), "the supervisor starts a gateway", seconds=START_SECONDS)

    def gateways(self) -> dict[str, str]:
        return {"gateway-1": self._addresses()[DEPLOYMENT]}

    def revive(self) -> None:
        super().revive()
        if not self._up_part.running:
            assert self._up_part.life is not None
            self.crashes.append(f"`graftwork up` ended by itself:\n{self._up_part.life.output()[-1500:]}")
            self._up_part.start()
        self.crashes += [
            f"{name} ended by itself, and its supervisor started it again"
            for name, part in self.parts.items()
            if isinstance(part, Supervised) and part.has_ended_by_itself()
        ]

    def _up(self) -> Process:
        environment = {**self.shared_environment(HOME), "GRAFTWORK_UI_PORT": str(self._ui_port)}
        return self.processes.python("up", "-m", "controlplane", "up", env=environment)

    def _worker(self) -> Process:
        environment = self.shared_environment(CLOCKED) | self.clock.environment()
        del environment["GRAFTWORK_BOOTSTRAP_TOKEN"]
        environment["GRAFTWORK_TOKEN"] = self.tokens["worker"]
        return self.processes.python(CLOCKED, "-m", "workers.runtime", "all", "--name", CLOCKED, env=environment)

    def _addresses(self) -> dict[str, str]:
        file = self._home / "gateways.json"
        try:
            found: dict[str, str] = json.loads(file.read_text())
        except (OSError, ValueError):
            return {}
        return found
