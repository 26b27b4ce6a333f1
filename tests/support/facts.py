"""Facts to announce in tests, and what came of them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from controlplane.store.database import Database
from controlplane.transport.event_log import read_events
from schemas.cloudevent import FeedEvent
from schemas.facts import AuditRecorded, JobStarted

NAMESPACE = UUID("00000000-0000-4000-8000-000000000000")


def job_id(name: str) -> UUID:
    return uuid5(NAMESPACE, name)


def started(name: str, attempt: int, padding: str = "") -> JobStarted:
    return JobStarted(job_id=job_id(name), kind="train", attempt=attempt, owner=f"owner{padding}")


def announce(database: Database, name: str, attempt: int, *, padding: str = "") -> None:
    """One fact of the aggregate `job/<name>`, in a transaction of its own."""
    with database.begin("test") as uow:
        uow.record(started(name, attempt, padding), f"job/{name}")


def all_facts(database: Database) -> list[FeedEvent]:
    with database.read() as session:
        return read_events(session, 0, limit=1000)


def apart(events: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(facts of what came about, facts of the audit log): the latter tell who asked, and not what came of it."""
    events = list(events)
    asked = [event for event in events if event["type"] == AuditRecorded.TYPE]
    return [event for event in events if event not in asked], asked
