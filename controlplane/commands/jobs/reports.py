"""What a running job reports, as it is kept: progress, its log and its curve, each with an end.

A private job is held to steps and words here too: whatever its worker sends, no number measured on its rows stays.
"""

import math
from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.store.tables import JobCurveRow, JobLogRow, JobRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.claims import CurvePoint, Heartbeat, Progress

MAX_LOG_LINES = 20_000
"""Lines of one job's log that are kept; later ones are dropped, and the last kept line says so."""
MAX_CURVE_POINTS = 20_000
"""Points of one job's curves that are kept; later ones are dropped."""
MAX_LINE_LENGTH = 2000
"""Characters of a line of a job's log; the rest is cut."""
PRIVATE: Final = (
    "it trains privately: what is measured at a step would tell about the rows, so no curve is kept, and no score"
)


def is_private(session: Session, job_id: UUID) -> bool:
    """Whether its spec asks for privacy, of any kind that has it."""
    return session.exec(select(col(JobRow.spec)["privacy"]).where(JobRow.id == job_id)).one_or_none() is not None


def without_measurements(session: Session, job_id: UUID, beat: Heartbeat) -> Heartbeat:
    """The heartbeat of a private job without its numbers; that of any other as it is."""
    progress = beat.progress
    if not (beat.curve or (progress and progress.metrics)) or not is_private(session, job_id):
        return beat
    bare = progress.model_copy(update={"metrics": {}}) if progress else None
    return beat.model_copy(update={"curve": (), "progress": bare})


def finite(progress: Progress) -> dict[str, Any]:
    """JSON has no NaN: a metric that is none is left out."""
    metrics = {clean(name, 100): value for name, value in progress.metrics.items() if math.isfinite(value)}
    return {**progress.model_dump(mode="json"), "message": clean(progress.message), "metrics": metrics}


def keep_logs(uow: UnitOfWork, job_id: UUID, beat: Heartbeat, before: int) -> None:
    """Keep the heartbeat's lines of a job whose log has `before` lines already, up to MAX_LOG_LINES in all."""
    now = uow.now()
    room = MAX_LOG_LINES - before
    lines = [clean(line) for line in beat.logs[: max(room, 0)]]
    if lines and len(beat.logs) >= room:
        lines[-1] = f"… the log ends here: at most {MAX_LOG_LINES} lines of one job are kept"
    uow.session.add_all(JobLogRow(job_id=job_id, attempt=beat.attempt, at=now, line=line) for line in lines)


def keep_curve(uow: UnitOfWork, job_id: UUID, beat: Heartbeat, before: int) -> None:
    """Keep the heartbeat's points of a job that has `before` points already, up to MAX_CURVE_POINTS in all."""
    now = uow.now()
    points: tuple[CurvePoint, ...] = beat.curve[: max(MAX_CURVE_POINTS - before, 0)]
    uow.session.add_all(
        JobCurveRow(job_id=job_id, attempt=beat.attempt, at=now, step=point.step, measured=point.values)
        for point in points
    )


def clean(line: str, length: int = MAX_LINE_LENGTH) -> str:
    """Text that every database can store, cut to a length."""
    return line[:length].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
