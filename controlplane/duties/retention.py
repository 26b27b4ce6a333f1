"""What may be forgotten, and never before everybody who still needs it has had it."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, tuple_, update
from sqlmodel import SQLModel, col, select

from controlplane.commands.spine.cursors import FACTS
from controlplane.commands.spine.dead_letters import RELAY
from controlplane.duties.actor import ACTOR
from controlplane.settings import Settings
from controlplane.store.columns import table_of
from controlplane.store.database import Database
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import LabelRow, ObservationRow, RolloutRow
from controlplane.store.spine_tables import (
    CursorRow,
    DeadLetterRow,
    EventRow,
    IdempotencyRow,
    InboxRow,
    InFlightRow,
    LeaseRow,
    ParkedEventRow,
    PrunedTypeRow,
)
from controlplane.store.tables import ApiReplicaRow, JobCurveRow, JobLogRow, JobRow, TriggerEvaluationRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.phases import ACTIVE_ROLLOUT_PHASES, FINAL_JOB_PHASES

logger = logging.getLogger(__name__)
INBOX_FACTOR: Final = 2
"""The inbox outlives the events that it remembers, here and on Kafka."""
BATCH: Final = 5_000
"""Rows of one transaction: SQLite has one writer, and it is not ours for long."""

Prune = Callable[[UnitOfWork, datetime], int]


def prune_events(uow: UnitOfWork, before: datetime, *, relayed: bool) -> int:
    """Facts that are old and that the relay (where there is one) and our own reactions are done with."""
    readers = {FACTS, RELAY} if relayed or _relay_lived(uow, before) else {FACTS}
    cursors = dict(uow.session.exec(select(CursorRow.name, CursorRow.seq)).all())
    if not readers <= cursors.keys():
        return 0  # a reader that has not begun has had nothing
    done = min(cursors[name] for name in readers)
    for stays in (_first_young(before), select(ParkedEventRow.seq).order_by(col(ParkedEventRow.seq)).limit(1)):
        if (seq := uow.session.exec(stays).first()) is not None:
            done = min(done, seq - 1)
    return _forget_events(uow, done)


def _forget_events(uow: UnitOfWork, done: int) -> int:
    """The oldest first, and for each type how far: a reader of other types has missed nothing."""
    oldest = select(EventRow.seq, EventRow.type).where(col(EventRow.seq) <= done).order_by(col(EventRow.seq))
    batch = oldest.limit(BATCH).subquery()
    ends = uow.session.exec(select(batch.c.type, func.max(batch.c.seq)).group_by(batch.c.type)).all()
    for name, seq in ends:
        row = PrunedTypeRow(type=name, seq=seq)
        if not insert_once(uow, row):
            uow.execute(update(PrunedTypeRow).where(col(PrunedTypeRow.type) == name).values(seq=seq))
    return uow.execute(delete(EventRow).where(col(EventRow.seq) <= max(seq for _, seq in ends))) if ends else 0


def _relay_lived(uow: UnitOfWork, before: datetime) -> bool:
    """Whatever our settings say, a relay that has worked within the retention is one; an older one is gone for good."""
    lived = select(LeaseRow.name).where(LeaseRow.name == RELAY, col(LeaseRow.until) >= before)
    return uow.session.exec(lived).first() is not None


def _first_young(before: datetime) -> Any:
    """By seq, which is the order of time: looks at no row but the old ones, of which there are few."""
    return select(EventRow.seq).where(col(EventRow.time) >= before).order_by(col(EventRow.seq)).limit(1)


def prune_inbox(uow: UnitOfWork, before: datetime) -> int:
    return _delete(uow, InboxRow, col(InboxRow.at) < _long_before(uow, before))


def prune_trigger_evaluations(uow: UnitOfWork, before: datetime) -> int:
    """Answers that started nothing, once an event that comes again is not known any more. What has fired stays: its
    dedupe key never fires again."""
    started_nothing = col(TriggerEvaluationRow.outcome).not_in(("fired", "debouncing", "deferred"))
    old = col(TriggerEvaluationRow.at) < _long_before(uow, before)
    return _delete(uow, TriggerEvaluationRow, and_(old, started_nothing))


def _long_before(uow: UnitOfWork, before: datetime) -> datetime:
    return before - (uow.now() - before) * (INBOX_FACTOR - 1)


def prune_observations(uow: UnitOfWork, before: datetime) -> int:
    """Seconds that no active rollout has yet to fold."""
    second = int(before.timestamp())
    unfolded = exists().where(
        col(RolloutRow.deployment) == col(ObservationRow.deployment),
        col(RolloutRow.phase).in_(ACTIVE_ROLLOUT_PHASES),
        or_(col(RolloutRow.folded_at).is_(None), col(RolloutRow.folded_at) < before),
    )
    return _delete(uow, ObservationRow, and_(col(ObservationRow.second) < second, not_(unfolded)))


def prune_labels(uow: UnitOfWork, before: datetime) -> int:
    """Labels that no active rollout folds or shows. A label that comes again later is kept again, and never counts:
    its rollout is over."""
    under_way = exists().where(
        col(RolloutRow.id) == col(LabelRow.rollout_id), col(RolloutRow.phase).in_(ACTIVE_ROLLOUT_PHASES)
    )
    return _delete(uow, LabelRow, and_(col(LabelRow.at) < before, not_(under_way)))


def prune_idempotency_keys(uow: UnitOfWork, before: datetime) -> int:
    return _delete(uow, IdempotencyRow, col(IdempotencyRow.at) < before)


def prune_dead_letters(uow: UnitOfWork, before: datetime) -> int:
    """Replayed and discarded ones; an open one waits for a person for ever."""
    return _delete(uow, DeadLetterRow, and_(col(DeadLetterRow.status) != "Open", col(DeadLetterRow.closed_at) < before))


def prune_in_flight(uow: UnitOfWork, before: datetime) -> int:
    """Deliveries taken long ago and never finished: their topic is gone, or the consumer that took them is."""
    return _delete(uow, InFlightRow, col(InFlightRow.at) < before)


def prune_job_logs(uow: UnitOfWork, before: datetime) -> int:
    """Lines of finished jobs."""
    finished = exists().where(col(JobRow.id) == col(JobLogRow.job_id), col(JobRow.phase).in_(FINAL_JOB_PHASES))
    return _delete(uow, JobLogRow, and_(col(JobLogRow.at) < before, finished))


def prune_job_curves(uow: UnitOfWork, before: datetime) -> int:
    """Points of finished jobs."""
    finished = exists().where(col(JobRow.id) == col(JobCurveRow.job_id), col(JobRow.phase).in_(FINAL_JOB_PHASES))
    return _delete(uow, JobCurveRow, and_(col(JobCurveRow.at) < before, finished))


def prune_jobs(uow: UnitOfWork, before: datetime) -> int:
    """Jobs that made nothing and belong to no run. What succeeded is the lineage of what it made, and stays."""
    made_nothing = and_(col(JobRow.phase).in_(FINAL_JOB_PHASES - {"Succeeded"}), col(JobRow.run_id).is_(None))
    has_log = exists().where(col(JobLogRow.job_id) == col(JobRow.id))
    has_curve = exists().where(col(JobCurveRow.job_id) == col(JobRow.id))
    old = col(JobRow.finished_at) < before
    return _delete(uow, JobRow, and_(made_nothing, old, not_(has_log), not_(has_curve)))


def prune_api_replicas(uow: UnitOfWork, before: datetime) -> int:
    return _delete(uow, ApiReplicaRow, col(ApiReplicaRow.until) < before)


def prunings(*, relayed: bool) -> dict[str, Prune]:
    """Name to what prunes a batch of that; each runs in a transaction of its own, again while it fills a batch."""
    return {
        "events": lambda uow, before: prune_events(uow, before, relayed=relayed),
        "inbox": prune_inbox,
        "trigger_evaluations": prune_trigger_evaluations,
        "observations": prune_observations,
        "idempotency_keys": prune_idempotency_keys,
        "dead_letters": prune_dead_letters,
        "in_flight": prune_in_flight,
        "job_logs": prune_job_logs,
        "job_curves": prune_job_curves,
        "jobs": prune_jobs,
        "labels": prune_labels,
        "api_replicas": prune_api_replicas,
    }


def cutoff(uow: UnitOfWork, retention_days: float) -> datetime:
    return uow.now() - timedelta(days=retention_days)


def prune(database: Database, settings: Settings) -> None:
    """What is older than the retention, in batches."""
    for name, prune_batch in prunings(relayed=settings.kafka_bootstrap_servers is not None).items():
        pruned, batch = 0, BATCH
        while batch >= BATCH:
            with database.begin(ACTOR) as uow:
                batch = prune_batch(uow, cutoff(uow, settings.retention_days))
            pruned += batch
        if pruned:
            logger.info("pruned %d %s", pruned, name)


def _delete(uow: UnitOfWork, row: type[SQLModel], condition: ColumnElement[bool]) -> int:
    """At most a batch, by primary key."""
    keys = list(table_of(row).primary_key.columns)
    # Not a common table expression: SQLite's driver then cannot say how many rows went.
    batch = tuple_(*keys).in_(select(*keys).where(condition).limit(BATCH))
    return uow.execute(delete(row).where(batch).execution_options(synchronize_session=False))
