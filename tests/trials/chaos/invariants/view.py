"""What one look at a site has found, for every check to judge."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import create_engine, text
from sqlmodel import Session, col, select

from controlplane.client.client import Client
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.store.unit_of_work import database_time
from tests.trials.chaos.invariants.expected import Expected, Site


@dataclass(frozen=True)
class Record:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: str | None
    headers: dict[str, str]
    value: bytes | None

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class View:
    """One snapshot of the database, and what has come to the log and to the topics since the look before.

    The topics were read first: whatever is in them is in the log.
    """

    session: Session
    client: Client
    site: Site
    expected: Expected
    now: datetime
    facts: list[EventRow] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


class Check(Protocol):
    """Remembers what it has seen, so that a look costs what is new."""

    def judge(self, view: View) -> Iterator[str]: ...


class Snapshots:
    """Read-only transactions in which the database stands still, and how far the log was read."""

    def __init__(self, database_url: str) -> None:
        self.seq = 0
        if database_url.startswith("sqlite"):
            self._engine = Database(database_url, pool_size=1).engine
        else:  # without our guards: a look that hashes files is idle in its transaction, and holds no lock
            self._engine = create_engine(
                database_url,
                isolation_level="REPEATABLE READ",
                pool_pre_ping=True,
                connect_args={"options": "-c timezone=UTC -c default_transaction_read_only=on", "connect_timeout": 10},
            )

    @contextmanager
    def open(self) -> Iterator[Session]:
        with Session(self._engine, autoflush=False, expire_on_commit=False) as session:
            session.execute(text("SELECT 1 FROM event LIMIT 1"))  # a snapshot begins with the first read
            yield session

    def close(self) -> None:
        self._engine.dispose()

    def new_facts(self, session: Session) -> list[EventRow]:
        rows = list(session.exec(select(EventRow).where(col(EventRow.seq) > self.seq).order_by(col(EventRow.seq))))
        session.expunge_all()
        if rows:
            self.seq = rows[-1].seq or 0
        return rows

    def now(self, session: Session) -> datetime:
        return database_time(session)


def short(event_type: str) -> str:
    """`job.requested` of `dev.graftwork.job.requested.v1`."""
    return event_type.removeprefix("dev.graftwork.").removesuffix(".v1")
