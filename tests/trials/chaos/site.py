"""What both topologies have in common: where things are, and their parts by name."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

from tests.support.ports import free_ports
from tests.support.processes import Processes
from tests.support.readiness import is_ready
from tests.trials.chaos.clock import MovableClock
from tests.trials.chaos.disk import SmallDisk
from tests.trials.chaos.parts import OwnProcess, Part
from tests.trials.chaos.peek import Peek
from tests.trials.chaos.plan import LEASE_SECONDS, Topology
from tests.trials.chaos.proxy import Proxy

DEPLOYMENT, MODEL = "reviews", "sentiment"
START_SECONDS = 300.0
"""A deadline for machines that do much else besides; nothing waits so long when all is well."""


class ChaosSite(ABC):
    """One long-lived site: every round happens on it. `start` before anything else, `close` at the end."""

    topology: Topology
    bootstrap_servers: str | None = None
    job_lease_seconds = LEASE_SECONDS

    def __init__(self, folder: Path, admin_token: str) -> None:
        self.folder = folder
        self.admin_token = admin_token
        (api_port,) = free_ports(1)
        self.api_port = api_port
        self.api_url = f"http://127.0.0.1:{api_port}"
        self.logs = folder / "logs"
        self.data = folder / "data"
        for new in (self.logs, self.data):
            new.mkdir(parents=True)
        self.processes = Processes(self.logs)
        self.disk = SmallDisk(folder / "artifacts")
        self.proxy = Proxy(api_port)
        self.clock = MovableClock(folder)
        self.base = self._tiny_base()
        self.parts: dict[str, Part] = {}
        self.tokens: dict[str, str] = {}
        self.crashes: list[str] = []
        self.whisper = f"whisper-{token_hex(8)}"
        """In every file of rows, and nowhere that is told to others."""

    @property
    def artifacts(self) -> Path:
        return self.disk.folder

    @property
    @abstractmethod
    def database_url(self) -> str: ...

    @abstractmethod
    def start(self) -> None:
        """Everything but gateways, whose deployment has to exist."""

    @abstractmethod
    def start_gateways(self) -> None:
        """Start the gateways of the deployment, which exists now. Returns when they have been started."""

    @abstractmethod
    def gateways(self) -> dict[str, str]:
        """Part to address."""

    def _tiny_base(self) -> Path:
        """By a process of its own: this one needs no torch and has hours to live."""
        code = "import sys, pathlib, tests.support.builders.bases as b; b.build_tiny_base(pathlib.Path(sys.argv[1]))"
        folder = self.data / "tiny"
        built = self.processes.python("tiny-base", "-c", code, str(folder))
        assert built.wait(START_SECONDS) == 0, built.output()
        return folder

    def close(self) -> None:
        self.proxy.close()
        self.processes.kill_all()
        self.disk.remove()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def secrets(self) -> set[str]:
        return {self.admin_token, self.whisper, *self.tokens.values()}

    def peek(self) -> Peek:
        return Peek(self.database_url)

    def is_ready(self) -> bool:
        return is_ready(self.api_url)

    def revive(self) -> None:
        """What ended by itself is started again, as a service manager does it, and noted."""
        for name, part in self.parts.items():
            if isinstance(part, OwnProcess) and part.life is not None and not part.running:
                last = part.life.output()[-1500:]
                self.crashes.append(f"{name} ended by itself:\n{last}")
                part.start()

    def shared_environment(self, home: str) -> dict[str, str]:
        """Short leases, so that a recovery is seconds; nothing that is promised is weaker."""
        settings: Mapping[str, object] = {
            "HOME": self.folder / "homes" / home,
            "API_URL": self.proxy.url if home.startswith("gateway") else self.api_url,
            "PORT": self.api_port,
            "BOOTSTRAP_TOKEN": self.admin_token,
            "ARTIFACTS_URL": self.artifacts.as_uri(),
            "FILE_ROOTS": self.data,
            "JOB_LEASE_SECONDS": LEASE_SECONDS,
            "SINGLETON_LEASE_SECONDS": LEASE_SECONDS,
            "GATEWAY_SILENCE_SECONDS": 5,
            "WORKER_POLL_SECONDS": 1,
            "WORKER_GRACE_SECONDS": 1,
            "FAILED_LOGINS_PER_MINUTE": 10_000,
        }
        return {f"GRAFTWORK_{name}": str(value) for name, value in settings.items()}
