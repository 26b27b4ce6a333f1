"""Jobs are asked for, announced, and called off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from sqlmodel import col, select

from controlplane.commands.registry.references import resolve_spec, without_filled
from controlplane.domain.job import Transition, backoff_seconds, next_phase
from controlplane.errors import Conflict, NotFound
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import EventData
from schemas.facts import JobCancelled, JobRequested
from schemas.jobs import JobKind
from schemas.phases import FINAL_JOB_PHASES, JobPhase

NANOSECONDS = 10**9


@dataclass(frozen=True)
class OfRun:
    """Which stage of which pipeline run a job does."""

    run_id: UUID
    stage: str


def request_job(
    uow: UnitOfWork,
    kind: JobKind,
    raw_spec: Mapping[str, Any],
    *,
    max_attempts: int = 3,
    of_run: OfRun | None = None,
    cause: Cause | None = None,
) -> JobRow:
    """Record a Pending job and ring the bell. The row is flushed: it may be referred to in this transaction.

    Raises Invalid, naming the field, for a spec that is wrong or names what does not exist.
    """
    spec = resolve_spec(uow.session, kind, raw_spec)
    now = uow.now()
    job_id = uuid4()
    cause = cause or uow.cause or Cause(str(job_id))
    job = JobRow(
        id=job_id,
        created_seq=int(now.timestamp() * NANOSECONDS),
        kind=kind,
        # None means "off" in every spec, so an older worker that lacks such a field may do the job as well.
        spec=spec.model_dump(mode="json", exclude_none=True),
        max_attempts=max_attempts,
        refused_by=[],
        run_id=of_run.run_id if of_run else None,
        stage=of_run.stage if of_run else None,
        actor=uow.actor,
        correlationid=cause.correlationid,
        causationid=cause.causationid,
        created_at=now,
    )
    announce(uow, job, JobRequested(job_id=job.id, kind=kind, attempt=0))
    uow.session.add(job)
    uow.session.flush()
    return job


def retry_job(uow: UnitOfWork, job_id: UUID) -> JobRow:
    """A new job by the spec of one that failed or was cancelled: on its journey, caused by its last fact.

    What the control plane had put into the spec is looked up anew. Raises Conflict for a job in any other phase.
    """
    job = lock_job(uow, job_id)
    if job.phase not in ("Failed", "Cancelled"):
        raise Conflict(f"job {job.id} is {job.phase}: expected one that is Failed or Cancelled")
    kind, cause = cast(JobKind, job.kind), Cause(job.correlationid, job.causationid)
    return request_job(uow, kind, without_filled(kind, job.spec), max_attempts=job.max_attempts, cause=cause)


def stop_job(uow: UnitOfWork, job_id: UUID) -> JobRow:
    """Cancel a Pending job at once, ask a Running one to stop; a finished one stays as it is.

    Does not say that it has ended: `outcomes.cancel_job` does.
    """
    job = lock_job(uow, job_id)
    if job.phase == "Pending":
        leave(uow, job, "cancelled")
        announce(uow, job, JobCancelled(job_id=job.id, kind=job.kind, attempt=job.attempt))
    elif job.phase == "Running":
        job.cancel_requested = True
    return job


# --- what the other commands about jobs share -------------------------------------------------------------------------


def lock_job(uow: UnitOfWork, job_id: UUID) -> JobRow:
    """The job as it is now; nobody else changes it before this transaction ends."""
    query = select(JobRow).where(JobRow.id == job_id).with_for_update().execution_options(populate_existing=True)
    if (job := uow.session.exec(query).one_or_none()) is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def announce(uow: UnitOfWork, job: JobRow, fact: EventData) -> None:
    """Record a fact about a job, caused by the one before it."""
    job.causationid = str(uow.record(fact, f"job/{job.id}", Cause(job.correlationid, job.causationid)))


def leave(uow: UnitOfWork, job: JobRow, transition: Transition) -> None:
    """Move a locked job to the phase that follows; without a lease, because no phase but Running has one."""
    phase = next_phase(cast(JobPhase, job.phase), transition)
    if phase is None:
        raise Conflict(f"job {job.id} is {job.phase}: it cannot be {transition}")
    now = uow.now()
    job.phase = phase
    job.lease_until = job.claim_id = None
    if phase in FINAL_JOB_PHASES:
        job.finished_at = now
    else:
        job.owner = None
        job.not_before = now + timedelta(seconds=backoff_seconds(job.failures)) if transition == "retried" else None


def is_job(job_id: UUID) -> Any:
    return col(JobRow.id) == job_id
