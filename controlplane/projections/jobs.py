"""Jobs as they are read: one, a page of them, what one said and what it measured."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.store.tables import JobCurveRow, JobLogRow, JobRow
from schemas.views.jobs import Curve


@dataclass(frozen=True)
class JobFilter:
    """None: any."""

    phase: str | None = None
    kind: str | None = None
    run: UUID | None = None


def find_job(session: Session, job_id: UUID) -> JobRow:
    if (job := session.get(JobRow, job_id)) is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def list_jobs(session: Session, wanted: JobFilter, after: tuple[int, UUID] | None, limit: int) -> list[JobRow]:
    """Newest first, below a (created_seq, id)."""
    query = select(JobRow)
    for column, value in ((JobRow.phase, wanted.phase), (JobRow.kind, wanted.kind), (JobRow.run_id, wanted.run)):
        if value is not None:
            query = query.where(col(column) == value)
    seq, identity = col(JobRow.created_seq), col(JobRow.id)
    if after is not None:
        query = query.where(or_(seq < after[0], and_(seq == after[0], identity < after[1])))
    return list(session.exec(query.order_by(seq.desc(), identity.desc()).limit(limit)))


def list_logs(session: Session, job_id: UUID, after: int, limit: int) -> list[JobLogRow]:
    """Lines after a seq, oldest first."""
    find_job(session, job_id)
    query = select(JobLogRow).where(JobLogRow.job_id == job_id, col(JobLogRow.seq) > after)
    return list(session.exec(query.order_by(col(JobLogRow.seq)).limit(limit)))


def read_curves(session: Session, job_id: UUID) -> list[Curve]:
    """One a number that was measured, by step."""
    find_job(session, job_id)
    order = (col(JobCurveRow.attempt), col(JobCurveRow.step), col(JobCurveRow.seq))
    rows = session.exec(select(JobCurveRow).where(JobCurveRow.job_id == job_id).order_by(*order)).all()
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for row in _of_the_last_to_take_a_step(rows):
        for name, value in row.measured.items():
            found[name][row.step] = value  # a heartbeat whose answer was lost is sent again
    return [Curve(name=name, steps=list(by_step), values=list(by_step.values())) for name, by_step in found.items()]


def _of_the_last_to_take_a_step(rows: Sequence[JobCurveRow]) -> list[JobCurveRow]:
    """An attempt goes on from a checkpoint: what earlier ones measured beyond it was for nothing."""
    kept: list[JobCurveRow] = []
    for _, attempt in groupby(rows, lambda row: row.attempt):
        points = list(attempt)
        kept = [row for row in kept if row.step < points[0].step] + points
    return kept
