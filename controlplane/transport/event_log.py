"""The event table as a log: the one query that the feed, the relay and our own reactions read by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, Text, cast
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from controlplane.errors import Gone
from controlplane.store.spine_tables import EventRow, ParkedEventRow, PrunedTypeRow
from schemas.cloudevent import FeedEvent
from schemas.kafka_binding import Fact, KafkaMessage, fact_message
from schemas.topics import topic_of

COLUMNS: tuple[Any, ...] = (
    EventRow.seq,
    EventRow.id,
    EventRow.source,
    EventRow.type,
    EventRow.subject,
    EventRow.time,
    EventRow.correlationid,
    EventRow.causationid,
    cast(EventRow.data, Text).label("body"),
)


@dataclass(frozen=True)
class OutboxFact:
    """A fact as it leaves: neither rows nor envelopes are built for what was valid when it was recorded."""

    seq: int
    subject: str
    topic: str
    message: KafkaMessage


@dataclass(frozen=True)
class Types:
    """Which types of facts are asked for."""

    only: Sequence[str] = ()
    """Empty: all of them."""
    without: Sequence[str] = ()

    def among(self, column: Any) -> Iterator[Any]:
        """The conditions on a column of types."""
        if self.only:
            yield column.in_(self.only)
        if self.without:
            yield column.not_in(self.without)


ALL: Final = Types()


def read_events(
    session: Session, after: int, *, limit: int = 100, types: Types = ALL, check_retention: bool = True
) -> list[FeedEvent]:
    """Facts after a cursor, oldest first. Raises Gone (410) when one of these types after it has been pruned."""
    if check_retention and after > 0:
        _refuse_a_pruned_cursor(session, after, types)
    query = select(EventRow).where(col(EventRow.seq) > after, *types.among(col(EventRow.type)))
    return [to_feed_event(row) for row in session.exec(query.order_by(col(EventRow.seq)).limit(limit))]


def read_newest_events(session: Session, through: int, limit: int, types: Types = ALL) -> list[FeedEvent]:
    """The newest facts up to a place, oldest first."""
    query = select(EventRow).where(col(EventRow.seq) <= through, *types.among(col(EventRow.type)))
    rows = session.exec(query.order_by(col(EventRow.seq).desc()).limit(limit)).all()
    return [to_feed_event(row) for row in reversed(rows)]


def read_outbox(session: Session, after: int, limit: int) -> list[OutboxFact]:
    """Facts after the relay's cursor, oldest first: retention never passes it, so none between can have been pruned."""
    return _outbox(session, select_columns(*COLUMNS).where(col(EventRow.seq) > after), limit)


def read_parked(session: Session, subjects: Any, limit: int) -> list[OutboxFact]:
    """Facts that wait for a person, of those subjects, oldest first. `subjects` is a condition on the parked rows."""
    parked = select_columns(*COLUMNS).join(ParkedEventRow, col(ParkedEventRow.seq) == col(EventRow.seq))
    return _outbox(session, parked.where(subjects), limit)


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


def _outbox(session: Session, query: Select[Any], limit: int) -> list[OutboxFact]:
    return [_to_outbox_fact(row) for row in session.execute(query.order_by(col(EventRow.seq)).limit(limit))]


def _to_outbox_fact(row: Row[Any]) -> OutboxFact:
    fact = Fact(
        id=str(row.id),
        source=row.source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        correlationid=row.correlationid,
        causationid=row.causationid,
        data=row.body.encode(),
    )
    return OutboxFact(row.seq, row.subject, topic_of(row.type), fact_message(fact))


def _refuse_a_pruned_cursor(session: Session, after: int, types: Types) -> None:
    query = select(func.max(PrunedTypeRow.seq)).where(*types.among(col(PrunedTypeRow.type)))
    pruned = session.exec(query).one() or 0
    if after < pruned:
        raise Gone(
            f"events up to seq {pruned} have been pruned; the oldest one is {oldest_seq(session)}", field="after"
        )
