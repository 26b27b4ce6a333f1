"""Jobs: one end each, one effect each, attempts one after the other, and nothing written by an attempt that is over."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import (
    AttachmentRow,
    DatasetVersionRow,
    JobLogRow,
    JobRow,
    ModelVersionRow,
)
from schemas.facts import JobCancelled, JobFailed, JobRequested, JobStarted, JobSucceeded
from schemas.jobs import RESULTS
from schemas.jobs.results import DatasetResult, VersionResult
from schemas.phases import FINAL_JOB_PHASES
from tests.trials.chaos.invariants.view import View, short

ENDS: Final = {JobSucceeded.TYPE: "Succeeded", JobFailed.TYPE: "Failed", JobCancelled.TYPE: "Cancelled"}
MADE: Final[dict[str, Any]] = {
    "dataset version": DatasetVersionRow,
    "model version": ModelVersionRow,
    "attachment": AttachmentRow,
}
LEASE_SLACK: Final = timedelta(seconds=1)


@dataclass
class Life:
    """One job as its facts tell it."""

    phase: str = "?"
    attempt: int = 0


class JobLives:
    """The facts of a job, replayed: Pending → Running → … → one end, attempts one by one and never two at a time."""

    def __init__(self) -> None:
        self._lives: dict[str, Life] = defaultdict(Life)
        self._accepted: set[UUID] = set()

    def judge(self, view: View) -> Iterator[str]:
        for row in view.facts:
            if row.type in ENDS or row.type in (JobRequested.TYPE, JobStarted.TYPE):
                yield from self._happen(row)
        self._accepted |= view.expected.jobs
        yield from self._compare(view)

    def _happen(self, row: EventRow) -> Iterator[str]:
        job_id, attempt = row.data["job_id"], row.data["attempt"]
        life = self._lives[job_id]
        if wrong := _impossible(life, row.type, attempt):
            yield f"job {job_id}: {short(row.type)} of attempt {attempt} (fact {row.seq}): {wrong}"
        life.attempt = attempt
        life.phase = ENDS.get(row.type, "Running" if row.type == JobStarted.TYPE else "Pending")

    def _compare(self, view: View) -> Iterator[str]:
        found = view.session.exec(select(JobRow.id, JobRow.phase, JobRow.attempt)).all()
        for job_id, phase, attempt in found:
            life = self._lives[str(job_id)]
            if (life.phase, life.attempt) != (phase, attempt):
                told = f"its facts say {life.phase} at attempt {life.attempt}"
                yield f"job {job_id}: it is {phase} at attempt {attempt}, {told}"
            if phase not in FINAL_JOB_PHASES and job_id in self._accepted:
                yield f"job {job_id}: accepted, and it has not ended: {phase} at attempt {attempt}"
        for lost in self._accepted - {job_id for job_id, _, _ in found}:
            yield f"job {lost}: accepted, and it does not exist"


def _impossible(life: Life, event_type: str, attempt: int) -> str | None:
    """Why that may not follow, or None."""
    if life.phase in FINAL_JOB_PHASES:
        return f"it had ended: {life.phase}"
    if event_type == JobStarted.TYPE:
        return _cannot_start(life, attempt)
    if attempt != life.attempt:
        return f"a stale fence: attempt {life.attempt} was the last"
    may_follow = {JobRequested.TYPE: ("?", "Running"), JobCancelled.TYPE: ("Pending", "Running")}
    if life.phase not in may_follow.get(event_type, ("Running",)):
        return f"nobody held its lease: it was {life.phase}"
    return None


def _cannot_start(life: Life, attempt: int) -> str | None:
    if life.phase == "Running":
        return f"attempt {life.attempt} had not ended: two hold the lease"
    if life.phase != "Pending" or attempt != life.attempt + 1:
        return f"the fence did not grow by one: it was {life.phase} at attempt {life.attempt}"
    return None


class OneEffect:
    """What a job has made is there once, and only when it has succeeded."""

    def judge(self, view: View) -> Iterator[str]:
        phases = dict(view.session.exec(select(JobRow.id, JobRow.phase)).all())
        for name, row_type in MADE.items():
            made = Counter(view.session.exec(select(row_type.job_id)).all())
            for job_id, times in made.items():
                if times > 1:
                    yield f"job {job_id}: it made {times} of one {name}"
                if phases.get(job_id) != "Succeeded":
                    yield f"job {job_id}: it made a {name} and is {phases.get(job_id)}"
        empty = view.session.exec(
            select(JobRow.id).where(
                JobRow.phase == "Succeeded", col(JobRow.result).is_(None) | col(JobRow.outputs).is_(None)
            )
        )
        for job_id in empty:
            yield f"job {job_id}: it has succeeded without a result or without outputs"
        yield from _outputs_exist(view.session)


def _outputs_exist(session: Session) -> Iterator[str]:
    """What a job says that it made is there, by that job where it is no repetition of an earlier finding."""
    datasets = set(session.exec(select(DatasetVersionRow.id)))
    versions = dict(session.exec(select(ModelVersionRow.id, ModelVersionRow.job_id)).all())
    findings = set(session.exec(select(AttachmentRow.model_version_id, AttachmentRow.kind)))
    done = select(JobRow.id, JobRow.kind, JobRow.outputs).where(
        JobRow.phase == "Succeeded", col(JobRow.outputs).is_not(None)
    )
    for job_id, kind, outputs in session.exec(done).all():
        named = {name: UUID(value) for name, value in (outputs or {}).items()}
        version = named.get("model_version")
        if issubclass(RESULTS[kind], DatasetResult):
            there = named.get("dataset") in datasets
        elif issubclass(RESULTS[kind], VersionResult):
            there = version is not None and versions.get(version) == job_id
        else:
            there = (version, kind) in findings
        if not there:
            yield f"{kind} job {job_id}: it has succeeded, and what it made is not there: {outputs}"


class StaleAttempts:
    """A heartbeat of an attempt that is over writes nothing: seen by the lines of the job's log."""

    def __init__(self) -> None:
        self._line = 0
        self._over: dict[tuple[str, int], datetime] = {}
        """When an attempt ended, by the database's clock."""

    def judge(self, view: View) -> Iterator[str]:
        for row in view.facts:
            if row.type in ENDS or row.type == JobRequested.TYPE:
                self._over[row.data["job_id"], row.data["attempt"]] = row.time
        columns = (col(JobLogRow.seq), col(JobLogRow.job_id), col(JobLogRow.attempt), col(JobLogRow.at))
        lines = select(*columns).where(columns[0] > self._line).order_by(columns[0])
        for seq, job_id, attempt, at in view.session.exec(lines).all():
            self._line = seq or self._line
            over = self._over.get((str(job_id), attempt))
            if over is not None and at > over:
                yield f"job {job_id}: attempt {attempt} wrote its log {at - over} after it was over"


class JobLeases:
    """A lease ends at most one lease from now by the database's clock, and only a running job has one."""

    def judge(self, view: View) -> Iterator[str]:
        columns = (JobRow.id, JobRow.phase, JobRow.owner, JobRow.lease_until, JobRow.claim_id)
        held = col(JobRow.lease_until).is_not(None) | col(JobRow.claim_id).is_not(None) | (JobRow.phase == "Running")
        longest = view.now + timedelta(seconds=view.site.job_lease_seconds) + LEASE_SLACK
        for job_id, phase, owner, until, _ in view.session.exec(select(*columns).where(held)):  # type: ignore[call-overload]
            if phase != "Running":
                yield f"job {job_id}: it is {phase} and holds a lease"
            elif until is None or owner is None:
                yield f"job {job_id}: it is running and nobody holds its lease"
            elif until > longest:
                yield f"job {job_id}: its lease ends at {until}, more than one lease from now"
