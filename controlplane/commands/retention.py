"""What may be forgotten, and never before everybody who still needs it has had it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, not_, or_, tuple_
from sqlmodel import SQLModel, col, func, select

from controlplane.commands.cursors import FACTS
from controlplane.commands.dead_letters import RELAY
from controlplane.domain.job import FINAL
from controlplane.domain.rollout import ACTIVE
from controlplane.store.serving_tables import ObservationRow, RolloutRow
from controlplane.store.tables import (
    ApiReplicaRow,
    CursorRow,
    DeadLetterRow,
    EventRow,
    IdempotencyRow,
    InboxRow,
    JobLogRow,
    JobRow,
    ParkedEventRow,
)
from controlplane.store.unit_of_work import UnitOfWork

INBOX_FACTOR: Final = 2
"""The inbox outlives the events that it remembers, here and on Kafka."""
BATCH: Final = 5_000
"""Rows of one transaction: SQLite has one writer, and it is not ours for long."""

Prune = Callable[[UnitOfWork, datetime], int]


def prune_events(uow: UnitOfWork, before: datetime, *, relayed: bool) -> int:
    """Facts that are old and that the relay (where there is one) and our own reactions are done with."""
    readers = {FACTS, RELAY} if relayed else {FACTS}
    cursors = dict(uow.session.exec(select(CursorRow.name, CursorRow.seq)).all())
    if not readers <= cursors.keys():
        return 0  # a reader that has not begun has had nothing
    done = min(cursors[name] for name in cursors)
    parked = uow.session.exec(select(func.min(ParkedEventRow.seq))).one()
    if parked is not None:
        done = min(done, parked - 1)
    return _delete(uow, EventRow, and_(col(EventRow.seq) <= done, col(EventRow.time) < before))


def prune_inbox(uow: UnitOfWork, before: datetime) -> int:
    older = before - (uow.now() - before) * (INBOX_FACTOR - 1)
    return _delete(uow, InboxRow, col(InboxRow.at) < older)


def prune_observations(uow: UnitOfWork, before: datetime) -> int:
    """Seconds that no active rollout has yet to fold."""
    second = int(before.timestamp())
    unfolded = exists().where(
        col(RolloutRow.deployment) == col(ObservationRow.deployment),
        col(RolloutRow.phase).in_(ACTIVE),
        or_(col(RolloutRow.folded_at).is_(None), col(RolloutRow.folded_at) < before),
    )
    return _delete(uow, ObservationRow, and_(col(ObservationRow.second) < second, not_(unfolded)))


def prune_idempotency_keys(uow: UnitOfWork, before: datetime) -> int:
    return _delete(uow, IdempotencyRow, col(IdempotencyRow.at) < before)


def prune_dead_letters(uow: UnitOfWork, before: datetime) -> int:
    """Replayed and discarded ones; an open one waits for a person for ever."""
    return _delete(uow, DeadLetterRow, and_(col(DeadLetterRow.status) != "Open", col(DeadLetterRow.closed_at) < before))


def prune_job_logs(uow: UnitOfWork, before: datetime) -> int:
    """Lines of finished jobs."""
    finished = exists().where(col(JobRow.id) == col(JobLogRow.job_id), col(JobRow.phase).in_(FINAL))
    return _delete(uow, JobLogRow, and_(col(JobLogRow.at) < before, finished))


def prune_api_replicas(uow: UnitOfWork, before: datetime) -> int:
    return _delete(uow, ApiReplicaRow, col(ApiReplicaRow.until) < before)


def prunings(*, relayed: bool) -> dict[str, Prune]:
    """Name to what prunes a batch of that; each runs in a transaction of its own, again while it fills a batch."""
    return {
        "events": lambda uow, before: prune_events(uow, before, relayed=relayed),
        "inbox": prune_inbox,
        "observations": prune_observations,
        "idempotency_keys": prune_idempotency_keys,
        "dead_letters": prune_dead_letters,
        "job_logs": prune_job_logs,
        "api_replicas": prune_api_replicas,
    }


def cutoff(uow: UnitOfWork, retention_days: float) -> datetime:
    return uow.now() - timedelta(days=retention_days)


def _delete(uow: UnitOfWork, row: type[SQLModel], condition: ColumnElement[bool]) -> int:
    """At most a batch, by primary key."""
    keys: list[Any] = list(row.__table__.primary_key.columns)  # type: ignore[attr-defined]
    # Not a common table expression: SQLite's driver then cannot say how many rows went.
    batch = tuple_(*keys).in_(select(*keys).where(condition).limit(BATCH))
    return uow.execute(delete(row).where(batch).execution_options(synchronize_session=False))
