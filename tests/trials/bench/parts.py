"""The real parts that benchmarks share, each started when first asked for, and what one measurement may use."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from controlplane.continuations import open_database
from controlplane.store.database import Database
from controlplane.store.upgrade import upgrade
from tests.support import broker as brokers
from tests.support import postgres_server
from tests.support.broker import Broker
from tests.support.missing import Missing
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Processes
from tests.trials.load.site import Site, site

CANARY: Final[dict[str, Any]] = {
    "steps": [0.5],
    "step_seconds": 2,
    "step_units": 20,
    "tick_seconds": 1,
    "deadline_seconds": 14,
    "metrics": [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.2}],
}
"""How the shared system tries a version. Its deadline is as long as leases allow: a busy machine is to queue."""


class Unmeasured(Exception):
    """It ran, and what came of it is no measurement; the message says why."""


class Parts:
    """One broker, one database server, processes of ours and folders: all gone when the benchmarks end."""

    def __init__(self, broker: Broker | None = None, postgres: PostgresServer | None = None) -> None:
        self._stack = ExitStack()
        self._given = broker, postgres
        self.folder = Path(tempfile.mkdtemp(prefix="graftwork-bench-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def kafka(self) -> Broker:
        """Apache Kafka, one node on loopback."""
        if given := self._given[0]:
            return given
        if reason := brokers.missing():
            raise Missing(reason)
        broker = Broker.start_new()
        self._stack.callback(broker.remove)
        return broker

    @cached_property
    def postgres(self) -> PostgresServer:
        """PostgreSQL on loopback, without fsync, for whoever is measured."""
        if given := self._given[1]:
            return given
        if reason := postgres_server.missing():
            raise Missing(reason)
        server = PostgresServer.start_new()
        self._stack.callback(server.remove)
        return server

    @cached_property
    def site(self) -> Site:
        """A whole system on SQLite, whose two gateways serve the first of two versions: as whoever used it found it."""
        return self._stack.enter_context(site("embedded", self.folder / "site", {"canary": CANARY}))

    @contextmanager
    def database(self, kind: str) -> Iterator[Database]:
        """A fresh, migrated database: `PostgreSQL` or `SQLite`."""
        if kind == "PostgreSQL":
            url = self.postgres.create_database()
        else:
            url = f"sqlite:///{tempfile.mkdtemp(dir=self.folder)}/graftwork.db"
        database = open_database(url)
        try:
            if database.is_sqlite:
                upgrade(database)
            yield database
        finally:
            database.close()
            if not database.is_sqlite:
                self.postgres.drop_database(url)

    @contextmanager
    def processes(self) -> Iterator[Processes]:
        """Starts processes of ours, which end with the block."""
        started = Processes(Path(tempfile.mkdtemp(dir=self.folder)))
        try:
            yield started
        finally:
            started.kill_all()


@dataclass(frozen=True)
class Options:
    """How much to measure, and with what."""

    parts: Parts
    rounds: int = 5
    smoke: bool = False
    """Whether a benchmark only has to run: its numbers mean nothing."""

    def size(self, full: int, smoke: int) -> int:
        return smoke if self.smoke else full
