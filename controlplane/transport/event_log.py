"""The event table as a log: the one query that the feed, the relay and our own reactions read by."""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from controlplane.errors import Gone
from controlplane.store.spine_tables import EventRow
from schemas.cloudevent import FeedEvent


def read_events(
    session: Session, after: int, *, limit: int = 100, types: Sequence[str] = (), check_retention: bool = True
) -> list[FeedEvent]:
    """Facts after a cursor, oldest first. Raises Gone (410) when facts after the cursor have been pruned."""
    if check_retention and after > 0:
        _refuse_a_pruned_cursor(session, after)
    query = select(EventRow).where(col(EventRow.seq) > after).order_by(col(EventRow.seq)).limit(limit)
    if types:
        query = query.where(col(EventRow.type).in_(types))
    return [to_feed_event(row) for row in session.exec(query)]


def last_seq(session: Session) -> int:
    """The newest fact's place; 0 before the first."""
    return session.exec(select(func.max(EventRow.seq))).one() or 0


def oldest_seq(session: Session) -> int:
    return session.exec(select(func.min(EventRow.seq))).one() or 0


def to_feed_event(row: EventRow) -> FeedEvent:
    assert row.seq is not None
    return FeedEvent(
        seq=row.seq,
        id=str(row.id),
        source=row.source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        correlationid=row.correlationid,
        causationid=row.causationid,
        data=row.data,
    )


def _refuse_a_pruned_cursor(session: Session, after: int) -> None:
    oldest = oldest_seq(session)
    if oldest > after + 1:
        raise Gone(f"events up to seq {oldest - 1} have been pruned; the oldest one is {oldest}", field="after")
