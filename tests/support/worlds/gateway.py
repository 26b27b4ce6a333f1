"""A gateway in this process, over HTTP, with scripted versions and a hand-written control plane beside it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
from fastapi import FastAPI

from schemas.serving import Generation, Observation, ServedVersion
from tests.support.gateway_control_plane import FakeControlPlane
from tests.support.http_server import serving
from tests.support.ports import free_ports
from tests.support.scripted_engine import ScriptedEngine, generation_of, scripted_version
from workers.runtime.artifacts import ArtifactStore
from workers.serve.app import create_app
from workers.serve.engines.by_task import by_task
from workers.serve.engines.port import OpenEngine
from workers.serve.files import GatewayFiles
from workers.serve.settings import GatewaySettings

ROLLOUT: Final = UUID(int=99)


class GatewayInProcess:
    """One home, one fake control plane that can die and come back, and gateways of that home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = ArtifactStore((home / "artifacts").as_uri(), home / "cache")
        self.control = FakeControlPlane()
        [self.port] = free_ports(1)
        self.stable = scripted_version(self.store, 1, favours=0)
        self.canary = scripted_version(self.store, 2, favours=1)
        self.app: FastAPI | None = None
        """The last gateway's."""
        self._control_server = ExitStack()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start_control_plane(self) -> None:
        self.control.stopping = False
        self._control_server.enter_context(serving(self.control.app, self.port))

    def stop_control_plane(self) -> None:
        self.control.stopping = True
        self._control_server.close()

    def version(self, number: int, favours: int, **script: str | float) -> ServedVersion:
        return scripted_version(self.store, number, favours, **script)

    def release(self, number: int, **fields: Any) -> Generation:
        """Make a generation of the stable version desired; `fields` override."""
        self.control.generation = generation_of(number, **{"stable": self.stable} | fields)
        return self.control.generation

    def roll_out(self, number: int, weight: float, **fields: Any) -> Generation:
        canary = {"canary": self.canary, "weight": weight, "rollout_id": ROLLOUT, "salt": "step-0"}
        return self.release(number, **canary | fields)

    @contextmanager
    def gateway(self, open_engine: OpenEngine | None = None, **settings: Any) -> Iterator[httpx.Client]:
        given = {"deployment": "reviews", "name": "gateway-1", "host": "127.0.0.1", "port": 0}
        chosen = GatewaySettings.model_validate(given | {"api_url": self.api_url, "home": self.home} | settings)
        files = GatewayFiles(chosen.home, chosen.deployment, chosen.name)
        try:
            self.app = create_app(chosen, open_engine or by_task(self.store, ScriptedEngine), files)
            with serving(self.app) as url, httpx.Client(base_url=url, timeout=30) as client:
                yield client
        finally:
            files.close()

    def observed(self) -> list[Observation]:
        return list(self.control.observations)
