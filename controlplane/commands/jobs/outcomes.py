"""How an attempt ends, and with it, perhaps, its job."""

from uuid import UUID

from sqlmodel import Session, update

from controlplane.commands.jobs.claims import is_held, lost
from controlplane.commands.jobs.lifecycle import announce, is_job, leave, lock_job, stop_job
from controlplane.commands.jobs.reports import clean
from controlplane.commands.registry.consistency import Registered
from controlplane.commands.registry.registration import register_result
from controlplane.domain.job import Transition, after_failure, after_release
from controlplane.errors import Invalid
from controlplane.kinds import contradiction
from controlplane.store.ended import JobEnded
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.claims import Completion, Failure, Release
from schemas.cloudevent import EventData
from schemas.facts import JobCancelled, JobFailed, JobRequested, JobSucceeded
from schemas.jobs import SPEC, JobResult, JobSpec
from schemas.phases import FINAL_JOB_PHASES

MAX_REASON = 2000
"""Characters of a failed job's reason; the rest is cut."""
MOST_REFUSALS = 100
"""Owners are processes and come and go: only the latest ones can ask again."""


def complete_job(uow: UnitOfWork, job_id: UUID, completion: Completion) -> JobRow:
    """Record the result and what it made, in one transaction.

    A repeat by the attempt that completed changes nothing and answers the job. Raises LostLease for any other attempt,
    and Invalid for a result that does not answer the job's spec.
    """
    job = _take(uow, job_id, completion.attempt, completion.owner)
    if job is None:
        return _repeated(uow, job_id, completion, frozenset({"Succeeded"}))
    spec = SPEC.validate_python(job.spec)
    _check_result(uow.session, spec, completion.result)
    job.result = completion.result.model_dump(mode="json")
    job.usage = completion.usage.model_dump(mode="json") if completion.usage else None
    job.reason = None
    leave(uow, job, "completed")
    announce(uow, job, JobSucceeded(job_id=job.id, kind=job.kind, attempt=job.attempt))
    job.outputs = register_result(uow, job, spec, completion.result)
    return _tell(uow, job)


def fail_job(uow: UnitOfWork, job_id: UUID, failure: Failure) -> JobRow:
    """Try again after a while if that may help and is still allowed; otherwise the job has failed.

    When its cancellation was asked for, this is the worker's confirmation.
    """
    job = _take(uow, job_id, failure.attempt, failure.owner)
    if job is None:
        return _repeated(uow, job_id, failure, frozenset({"Failed", "Cancelled"}))
    return count_failure(uow, job, failure.reason, retryable=failure.retryable)


def release_job(uow: UnitOfWork, job_id: UUID, release: Release) -> JobRow:
    """Back to Pending with no failure counted; not offered to this owner again."""
    job = _take(uow, job_id, release.attempt, release.owner)
    if job is None:
        return _repeated(uow, job_id, release, frozenset({"Cancelled"}))
    job.refused_by = [*job.refused_by, release.owner][-MOST_REFUSALS:]
    job.reason = clean(f"released by {release.owner}: {release.reason}", MAX_REASON)
    return _end_attempt(uow, job, after_release(cancel_requested=job.cancel_requested))


def cancel_job(uow: UnitOfWork, job_id: UUID) -> JobRow:
    """Pending: cancelled at once. Running: its worker is asked, and confirms. Finished: stays as it is."""
    before = lock_job(uow, job_id).phase
    job = stop_job(uow, job_id)
    return _tell(uow, job) if job.phase != before else job


def count_failure(uow: UnitOfWork, job: JobRow, reason: str, *, retryable: bool) -> JobRow:
    """The attempt of a locked job has failed: it is tried again after a while, or the job has failed."""
    job.failures += 1
    job.reason = clean(reason, MAX_REASON)
    transition = after_failure(
        job.failures, job.max_attempts, retryable=retryable, cancel_requested=job.cancel_requested
    )
    return _end_attempt(uow, job, transition)


# --- what ends have in common -----------------------------------------------------------------------------------------


def _take(uow: UnitOfWork, job_id: UUID, attempt: int, owner: str) -> JobRow | None:
    """Take the lease away from the attempt that ends: one conditional UPDATE. None: it was not that attempt's."""
    taken = uow.execute(
        update(JobRow)
        .where(is_job(job_id), *is_held(attempt, owner))
        .values(lease_until=None)
        .execution_options(synchronize_session=False)
    )
    return lock_job(uow, job_id) if taken else None


def _repeated(uow: UnitOfWork, job_id: UUID, said: Completion | Failure | Release, phases: frozenset[str]) -> JobRow:
    """The job, when this very attempt has said so before and the answer was lost. Raises LostLease otherwise."""
    job = uow.session.get(JobRow, job_id, populate_existing=True)
    if job is not None and job.phase in phases and (job.attempt, job.owner) == (said.attempt, said.owner):
        return job
    raise lost(uow.session, job_id, said.attempt, said.owner)


def _check_result(session: Session, spec: JobSpec, result: JobResult) -> None:
    if wrong := contradiction(spec, result, Registered(session)):
        raise Invalid(f"{wrong.field} {wrong.found!r}: expected {wrong.expected}", field=f"result.{wrong.field}")


def _end_attempt(uow: UnitOfWork, job: JobRow, transition: Transition) -> JobRow:
    leave(uow, job, transition)
    facts: dict[str, EventData] = {
        "Pending": JobRequested(job_id=job.id, kind=job.kind, attempt=job.attempt),
        "Failed": JobFailed(job_id=job.id, kind=job.kind, attempt=job.attempt, reason=job.reason or ""),
        "Cancelled": JobCancelled(job_id=job.id, kind=job.kind, attempt=job.attempt),
    }
    announce(uow, job, facts[job.phase])
    return _tell(uow, job)


def _tell(uow: UnitOfWork, job: JobRow) -> JobRow:
    """When it has ended, its pipeline run goes on."""
    if job.phase in FINAL_JOB_PHASES:
        uow.has_ended(JobEnded(job))
    return job
