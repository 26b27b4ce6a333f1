"""A rollout's row: locked, changed by compare-and-swap, and every change with its decision and its fact."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from controlplane.domain.canonical import digest
from controlplane.domain.rollout import check_transition
from controlplane.errors import Conflict, NotFound
from controlplane.projections.rollouts import step_number
from controlplane.store.serving_tables import DecisionRow, RolloutRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import EventData
from schemas.facts import RolloutAdvanced
from schemas.rollouts import Decision

_DECISION_FIELDS = {"kind", "verdict", "reason", "inputs", "digest"}


def lock_rollout(uow: UnitOfWork, rollout_id: UUID) -> RolloutRow:
    """As it is now; observations and labels that arrive meanwhile wait. Lock its deployment first."""
    query = select(RolloutRow).where(RolloutRow.id == rollout_id).with_for_update()
    row = uow.session.exec(query, execution_options={"populate_existing": True}).one_or_none()
    if row is None:
        raise NotFound(f"there is no rollout {rollout_id}")
    return row


def change(uow: UnitOfWork, row: RolloutRow, **values: Any) -> None:
    """Compare-and-swap on the revision. Raises Conflict when somebody else changed the rollout."""
    if "phase" in values:
        check_transition(row.phase, values["phase"])  # type: ignore[arg-type]
    changed = uow.execute(
        update(RolloutRow)
        .where(col(RolloutRow.id) == row.id, col(RolloutRow.revision) == row.revision)
        .values(**values, revision=row.revision + 1)
        .execution_options(synchronize_session=False)
    )
    if not changed:
        raise Conflict(f"rollout {row.id} is no longer at revision {row.revision}: read it again")
    uow.session.refresh(row)


def keep_decision(uow: UnitOfWork, row: RolloutRow, decision: Decision) -> DecisionRow:
    kept = DecisionRow(
        id=uuid4(), rollout_id=row.id, actor=uow.actor, at=uow.now(), **decision.model_dump(include=_DECISION_FIELDS)
    )
    uow.session.add(kept)
    return kept


def decision_of(kind: Any, verdict: str, reason: str, inputs: dict[str, Any]) -> Decision:
    return Decision(kind=kind, verdict=verdict, reason=reason, inputs=inputs, digest=digest(inputs))


@contextmanager
def journey(uow: UnitOfWork, row: RolloutRow) -> Iterator[None]:
    """Whatever is announced meanwhile belongs to the rollout's journey, whoever's word or time it was that moved it."""
    before, uow.cause = uow.cause, cause_of(row)
    try:
        yield
    finally:
        uow.cause = before


def cause_of(row: RolloutRow) -> Cause:
    return Cause(row.correlationid, str(row.started_event))


def announce(uow: UnitOfWork, row: RolloutRow, fact: EventData) -> None:
    uow.record(fact, f"rollout/{row.id}", cause_of(row))


def announce_progress(uow: UnitOfWork, row: RolloutRow, reason: str) -> None:
    fact = RolloutAdvanced(
        rollout_id=row.id,
        deployment=row.deployment,
        phase=row.phase,
        step=step_number(row),
        weight=row.weight,
        reason=reason,
    )
    announce(uow, row, fact)
