"""A real gateway that is killed and started again, and its journals, of which the next boot removes the last one."""

import shutil
from pathlib import Path
from typing import Final
from uuid import UUID

from tests.support.ports import free_ports
from tests.support.processes import Process
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.support.worlds.machine import Machine
from tests.trials.streams.journals import boot_of

START_SECONDS: Final = 300.0
"""A deadline for machines that do much else besides; nothing waits so long when all is well."""


class Gateway:
    """`boot` is the life that listens, None while none does."""

    def __init__(self, machine: Machine, deployment: str, name: str, kept: Path) -> None:
        self._machine, self._deployment, self.name, self._kept = machine, deployment, name, kept
        [self._port] = free_ports(1)
        self._folder = machine.home / "gateways" / deployment / name
        self._process: Process | None = None
        self.boot: UUID | None = None
        self.boots: list[UUID] = []
        self.killed: set[UUID] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Returns once it serves."""
        earlier = set(self._journals())
        process = self._process = self._machine.start(
            *("-m", "workers.serve", "--deployment", self._deployment, "--name", self.name, "--port", str(self._port)),
            name=f"{self.name}-{len(self.boots) + 1}",
        )
        wait_for(lambda: is_ready(self.url) or not process.running, f"{self.name} is ready", seconds=START_SECONDS)
        assert process.running, process.output()[-3000:]
        [journal] = set(self._journals()) - earlier
        self.boots.append(boot_of(journal))
        self.boot = self.boots[-1]

    def kill(self) -> None:
        """SIGKILL. No caller comes to it any more when it falls."""
        assert self._process is not None
        assert self.boot is not None
        self.killed.add(self.boot)
        self.boot = None
        self._process.kill()
        self.keep_journals()

    def keep_journals(self) -> None:
        """Copies: nobody writes into that of a boot that is dead, or has nothing to do."""
        for journal in self._journals():
            shutil.copy(journal, self._kept)

    def _journals(self) -> list[Path]:
        return sorted(self._folder.glob("*.journal"))
