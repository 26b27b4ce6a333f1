"""The reconciler's duty for deployments: verification, folds and rollbacks, each in a transaction of its own."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.commands.rollouts.changes import lock_rollout
from controlplane.commands.rollouts.fold import fold_rollout, note_fold_failure
from controlplane.commands.rollouts.rollbacks import advance_rollback
from controlplane.commands.rollouts.verification import advance_verifying
from controlplane.commands.serving.generations import lock_deployment
from controlplane.domain.rollout import ANALYSED, fold_pause, retry_pause
from controlplane.duties.actor import ACTOR
from controlplane.errors import Busy, LostLease
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.serving_tables import RollbackRow, RolloutRow
from controlplane.store.unit_of_work import Cause, UnitOfWork, database_time

logger = logging.getLogger(__name__)
Turn = Callable[[UnitOfWork], None]


def fold_rollouts(database: Database, settings: Settings) -> None:
    """Look at every rollout and rollback under way. One that cannot be advanced does not stop the others; what went
    wrong is raised at the end, so that the reconciler counts it.

    Two reconcilers at once do no harm: a deployment's row is locked, and what one folded the other finds folded.
    """
    silence = settings.gateway_silence_seconds
    with database.read() as session:
        turns = list(_turns(session, silence))
    faults: list[Exception] = []
    for name, cause, turn, rollout_id in turns:
        try:
            with database.begin(ACTOR, cause) as uow:
                turn(uow)
        except LostLease:
            raise
        except Busy as error:
            logger.warning("%s waits: %s", name, error.detail)
        except Exception as fault:
            fault.add_note(name)
            faults.append(fault)
            if rollout_id is not None:
                _note(database, cause, rollout_id, fault)
    if faults:
        raise ExceptionGroup("rollouts that could not be advanced", faults)


def probe_answered(database: Database, probes: Sequence[UUID], silence: float) -> None:
    """A gateway has answered: a rollback that only waited for that moves now, and not at the reconciler's next look."""
    with database.read() as session:
        waiting = select(RollbackRow.id, RollbackRow.deployment).where(
            col(RollbackRow.probe).in_(probes), RollbackRow.phase == "Verifying"
        )
        found = session.exec(waiting).first()
    if found is None:
        return
    rollback_id, deployment = found
    try:
        with database.begin(ACTOR) as uow:
            _rollback_turn(deployment, rollback_id, silence)(uow)
    except Busy as error:  # the reconciler comes by
        logger.warning("rollback %s waits: %s", rollback_id, error.detail)


def advance_rollout(uow: UnitOfWork, deployment: str, rollout_id: UUID, silence_seconds: float) -> None:
    """Whatever time and evidence ask for now; nothing when a person has ended it meanwhile."""
    held = lock_deployment(uow, deployment)
    row = lock_rollout(uow, rollout_id)
    if row.phase == "Verifying":
        advance_verifying(uow, held, row, silence_seconds)
    elif row.phase in ANALYSED:
        fold_rollout(uow, held, row)


def _turns(session: Session, silence: float) -> Iterator[tuple[str, Cause | None, Turn, UUID | None]]:
    now = database_time(session)
    names = (RolloutRow.id, RolloutRow.deployment, RolloutRow.correlationid, RolloutRow.started_event)
    moments = (RolloutRow.started_at, RolloutRow.folded_at)
    failures = (RolloutRow.fold_failures, RolloutRow.fold_failed_at)
    rollouts = select(*names, *moments, *failures).where(  # type: ignore[call-overload]
        col(RolloutRow.phase).in_(("Verifying", *sorted(ANALYSED)))
    )
    for rollout_id, deployment, correlationid, event, *times, failures_, failed in session.exec(rollouts):
        if _rested(now, *times) and (failed is None or (now - failed).total_seconds() >= retry_pause(failures_)):
            cause = Cause(correlationid, str(event))
            yield f"rollout {rollout_id}", cause, _rollout_turn(deployment, rollout_id, silence), rollout_id
    rollbacks = select(RollbackRow.id, RollbackRow.deployment).where(RollbackRow.phase == "Verifying")
    for rollback_id, deployment in session.exec(rollbacks):
        yield f"rollback {rollback_id}", None, _rollback_turn(deployment, rollback_id, silence), None


def _rested(now: datetime, started: datetime, folded: datetime | None) -> bool:
    return folded is None or (now - folded).total_seconds() >= fold_pause((now - started).total_seconds())


def _note(database: Database, cause: Cause | None, rollout_id: UUID, fault: Exception) -> None:
    """In a transaction of its own: the one that failed is gone."""
    with database.begin(ACTOR, cause) as uow:
        row = lock_rollout(uow, rollout_id)
        if row.phase in ANALYSED:
            note_fold_failure(uow, row, fault)


def _rollout_turn(deployment: str, rollout_id: UUID, silence: float) -> Turn:
    return lambda uow: advance_rollout(uow, deployment, rollout_id, silence)


def _rollback_turn(deployment: str, rollback_id: UUID, silence: float) -> Turn:
    def turn(uow: UnitOfWork) -> None:
        held = lock_deployment(uow, deployment)
        row = uow.session.get(RollbackRow, rollback_id, populate_existing=True)
        if row is not None and row.phase == "Verifying":
            advance_rollback(uow, held, row, silence)

    return turn
