"""Jobs as they are read: one, a page of them, and what one said."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.store.tables import JobLogRow, JobRow


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
