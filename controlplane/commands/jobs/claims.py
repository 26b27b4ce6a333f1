"""A worker gets a job, and keeps it alive: leases with fencing."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select, update

from controlplane.commands.jobs.lifecycle import announce, is_job
from controlplane.commands.jobs.reports import finite, keep_curve, keep_logs, without_measurements
from controlplane.errors import LostLease, NotFound
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import UnitOfWork, database_time
from schemas.claims import Checkpoint, Claim, ClaimRequest, Heartbeat, HeartbeatResponse
from schemas.facts import JobStarted

CANDIDATE: Final = aliased(JobRow)
"""Made once: building it was half of what a claim cost."""


def find_work(session: Session, request: ClaimRequest) -> bool:
    """Whether a claim would find anything: a read, so that idle workers cost no write lock."""
    replayed = and_(col(JobRow.claim_id) == request.claim_id, col(JobRow.phase) == "Running")
    claimable = _claimable(session, JobRow, request, database_time(session))
    return session.exec(select(JobRow.id).where(or_(replayed, claimable)).limit(1)).first() is not None


def claim_job(uow: UnitOfWork, request: ClaimRequest, lease_seconds: float) -> Claim | None:
    """Grant the oldest job of those kinds, or answer the same claim again; None: there is nothing to do."""
    if held := _held(uow, request):
        return to_claim(held, lease_seconds)
    try:
        with uow.session.begin_nested():
            job = _grant(uow, request, lease_seconds)
    except IntegrityError:  # the same claim_id at the same time: the other one has won
        return to_claim(held, lease_seconds) if (held := _held(uow, request)) else None
    if job is None:
        return None
    announce(uow, job, JobStarted(job_id=job.id, kind=job.kind, attempt=job.attempt, owner=request.owner))
    return to_claim(job, lease_seconds)


def heartbeat(uow: UnitOfWork, job_id: UUID, beat: Heartbeat, lease_seconds: float) -> HeartbeatResponse:
    """Extend the lease, and keep what the job reports. Raises LostLease for any attempt but the one that runs."""
    beat = without_measurements(uow.session, job_id, beat)
    now = uow.now()
    news: dict[str, Any] = {"lease_until": now + timedelta(seconds=lease_seconds)}
    if beat.progress:
        news["progress"] = finite(beat.progress)
    if beat.checkpoint:
        news["checkpoint"] = beat.checkpoint.model_dump(mode="json")
    if beat.logs:
        news["log_lines"] = col(JobRow.log_lines) + len(beat.logs)
    if beat.curve:
        news["curve_points"] = col(JobRow.curve_points) + len(beat.curve)
    row = uow.session.execute(
        update(JobRow)
        .where(is_job(job_id), *is_held(beat.attempt, beat.owner))
        .values(**news)
        .returning(col(JobRow.cancel_requested), col(JobRow.log_lines), col(JobRow.curve_points))
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        raise lost(uow.session, job_id, beat.attempt, beat.owner)
    cancel_requested, lines, points = row
    keep_logs(uow, job_id, beat, before=lines - len(beat.logs))
    keep_curve(uow, job_id, beat, before=points - len(beat.curve))
    return HeartbeatResponse(lease_seconds=lease_seconds, cancel_requested=cancel_requested)


def is_held(attempt: int, owner: str) -> tuple[ColumnElement[bool], ...]:
    """The condition of everything that an attempt may write: it runs, and it is this owner's."""
    return (col(JobRow.phase) == "Running", col(JobRow.attempt) == attempt, col(JobRow.owner) == owner)


def lost(session: Session, job_id: UUID, attempt: int, owner: str) -> Exception:
    """Why an attempt may not write any more."""
    job = session.get(JobRow, job_id, populate_existing=True)
    if job is None:
        return NotFound(f"there is no job {job_id}")
    return LostLease(f"job {job_id} is {job.phase} at attempt {job.attempt}; attempt {attempt} of {owner!r} is over")


def to_claim(job: JobRow, lease_seconds: float) -> Claim:
    return Claim(
        job_id=job.id,
        kind=job.kind,
        spec=job.spec,
        attempt=job.attempt,
        lease_seconds=lease_seconds,
        checkpoint=Checkpoint.model_validate(job.checkpoint) if job.checkpoint else None,
        correlationid=job.correlationid,
    )


def _held(uow: UnitOfWork, request: ClaimRequest) -> JobRow | None:
    return uow.session.exec(
        select(JobRow).where(
            JobRow.claim_id == request.claim_id, JobRow.phase == "Running", JobRow.owner == request.owner
        )
    ).first()


def _grant(uow: UnitOfWork, request: ClaimRequest, lease_seconds: float) -> JobRow | None:
    now = uow.now()
    oldest = (
        select(CANDIDATE.id)
        .where(_claimable(uow.session, CANDIDATE, request, now))
        .order_by(col(CANDIDATE.created_seq), col(CANDIDATE.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return uow.session.execute(
        update(JobRow)
        .where(col(JobRow.id) == oldest, col(JobRow.phase) == "Pending")
        .values(
            phase="Running",
            attempt=col(JobRow.attempt) + 1,
            owner=request.owner,
            claim_id=request.claim_id,
            lease_until=now + timedelta(seconds=lease_seconds),
            not_before=None,
            started_at=func.coalesce(col(JobRow.started_at), now),
        )
        .returning(JobRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).scalar_one_or_none()


def _claimable(session: Session, job: Any, request: ClaimRequest, now: Any) -> ColumnElement[bool]:
    return and_(
        job.phase == "Pending",
        job.kind.in_(request.kinds),
        or_(job.not_before.is_(None), job.not_before <= now),
        not_(_refused(session, job, request.owner)),
    )


def _refused(session: Session, job: Any, owner: str) -> ColumnElement[bool]:
    """`owner` is in the JSON list `refused_by`: SQL has no common word for that."""
    if session.get_bind().dialect.name == "sqlite":
        each = func.json_each(job.refused_by).table_valued("value")
        return exists(select(1).select_from(each).where(each.c.value == owner).correlate(job))
    return func.jsonb_exists(job.refused_by, owner)
