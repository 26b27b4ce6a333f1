"""Outbox → Kafka: in seq order, at least once, by the one process that holds the lease."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import Session, col, select

from controlplane.commands import dead_letters
from controlplane.commands.cursors import cursor_of, move_cursor
from controlplane.commands.dead_letters import OUTBOX, RELAY, Burial
from controlplane.commands.singleton import Singleton
from controlplane.errors import Busy, LostLease
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, EventRow, ParkedEventRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.event_log import read_events, to_feed_event
from controlplane.transport.kafka import KafkaPublisher, create_topics
from controlplane.transport.port import Delivery, Publisher, Unavailable
from schemas.cloudevent import FeedEvent
from schemas.kafka_binding import to_message
from schemas.topics import topic_of

log = logging.getLogger(__name__)

BATCH: Final = 500
LOOK_SECONDS: Final = 0.2
PASSING: Final = (Busy, LostLease, Unavailable, OperationalError, InterfaceError)


def run(database: Database, settings: Settings, stop: threading.Event) -> None:
    """Until told to stop. A fault that passes is retried for ever; topics are created first."""
    singleton = Singleton(database, RELAY, settings.singleton_lease_seconds)
    relay = Relay(database, KafkaPublisher(settings), singleton)
    failures, topics_exist = 0, False
    try:
        while not stop.is_set():
            try:
                if not topics_exist:
                    create_topics(settings)
                    topics_exist = True
                busy = relay.step()
                failures = 0
                if not busy:
                    stop.wait(LOOK_SECONDS)
            except PASSING as error:
                failures += 1
                log.warning("relay: %s (try %d)", error, failures)
                stop.wait(min(10.0, 0.2 * 2.0 ** min(failures, 10)))
    finally:
        relay.close()


@dataclass
class Progress:
    """What one batch has come to, marked in one transaction."""

    seq: int
    refused: dict[int, str] = field(default_factory=dict)
    """Seq to the broker's reason."""
    behind: dict[int, str] = field(default_factory=dict)
    """Seq to the reason of facts whose subject waits."""


class Relay:
    """Reads facts after its cursor, sends them, waits for every acknowledgement, then moves the cursor."""

    def __init__(self, database: Database, publisher: Publisher, singleton: Singleton) -> None:
        self._database = database
        self._publisher = publisher
        self._singleton = singleton

    def step(self) -> int:
        """One batch if this process is the active relay; answers how many facts it dealt with."""
        fence = self._singleton.hold()
        if fence is None:
            return 0
        try:
            return self._release_parked(fence) + self._relay_batch(fence)
        except LostLease:
            self._singleton.lose()
            raise

    def close(self) -> None:
        self._publisher.close()
        try:
            self._singleton.release()
        except (Busy, DBAPIError) as error:
            log.warning("relay: the lease was not given back, it expires by itself: %s", error)

    def _relay_batch(self, fence: int) -> int:
        with self._database.read() as session:
            progress = Progress(cursor_of(session, RELAY))
            # Retention never passes this cursor, so nothing between can have been pruned.
            events = read_events(session, progress.seq, limit=BATCH, check_retention=False)
            waiting = set(session.exec(select(ParkedEventRow.subject)))
        if not events:
            return 0
        try:
            for run in _runs(events):
                if self._singleton.hold() != fence:
                    raise LostLease("the relay's lease was lost within a batch")
                self._send(run, waiting, progress)
        finally:
            # Also when the broker went away: what it acknowledged need not be sent again.
            self._mark(events, progress, fence)
        return len(events)

    def _send(self, run: Sequence[FeedEvent], waiting: set[str], progress: Progress) -> None:
        sendable = [e for e in run if e.subject not in waiting]
        reasons = self._publisher.publish([(topic_of(e.type), to_message(e)) for e in sendable])
        for event in run:
            if event.subject in waiting:
                progress.behind[event.seq] = "an earlier fact of its subject is parked"
        for event, reason in zip(sendable, reasons, strict=True):
            if reason:
                waiting.add(event.subject)
                progress.refused[event.seq] = reason
        progress.seq = run[-1].seq

    def _mark(self, events: Sequence[FeedEvent], progress: Progress, fence: int) -> None:
        with self._singleton.begin(fence) as uow:
            for event in events:
                if reason := progress.refused.get(event.seq):
                    _bury(uow, event, reason)
                if reason := reason or progress.behind.get(event.seq):
                    dead_letters.park(uow, event.seq, event.subject, reason)
            move_cursor(uow, RELAY, progress.seq, fence)

    def _release_parked(self, fence: int) -> int:
        """Send, in order, what no longer waits for a person; the first refusal holds its subject back again."""
        with self._database.read() as session:
            parked = _released(session)
        held: set[str] = set()
        for event in parked:
            if event.subject in held:
                continue
            reason = self._publisher.publish([(topic_of(event.type), to_message(event))])[0]
            with self._singleton.begin(fence) as uow:
                if reason:
                    held.add(event.subject)
                    _bury_again(uow, event, reason)
                else:
                    _close(uow, event.seq)
        return len(parked)


def _runs(events: Sequence[FeedEvent]) -> Iterator[list[FeedEvent]]:
    """Cut where a subject comes again: a refusal must be known before the next fact of its subject is sent."""
    run: list[FeedEvent] = []
    subjects: set[str] = set()
    for event in events:
        if event.subject in subjects:
            yield run
            run, subjects = [], set()
        run.append(event)
        subjects.add(event.subject)
    if run:
        yield run


def _released(session: Session) -> list[FeedEvent]:
    """Parked facts of subjects of which no letter is open."""
    still_open = (
        select(ParkedEventRow.subject)
        .join(DeadLetterRow, col(DeadLetterRow.offset) == col(ParkedEventRow.seq))
        .where(DeadLetterRow.topic == OUTBOX, DeadLetterRow.status == "Open")
    )
    query = (
        select(EventRow)
        .join(ParkedEventRow, col(ParkedEventRow.seq) == col(EventRow.seq))
        .where(col(ParkedEventRow.subject).not_in(still_open))
        .order_by(col(EventRow.seq))
        .limit(BATCH)
    )
    return [to_feed_event(row) for row in session.exec(query)]


def _bury(uow: UnitOfWork, event: FeedEvent, reason: str) -> None:
    log.error(
        "relay: the broker refuses fact %d of %s for good, its successors wait: %s", event.seq, event.subject, reason
    )
    dead_letters.bury(uow, Delivery(OUTBOX, 0, event.seq, to_message(event)), Burial(RELAY, f"refused: {reason}"))


def _bury_again(uow: UnitOfWork, event: FeedEvent, reason: str) -> None:
    _bury(uow, event, reason)
    for letter in _letters(uow, event.seq):
        dead_letters.reopen(uow, letter.id, f"refused: {reason}")


def _close(uow: UnitOfWork, seq: int) -> None:
    dead_letters.unpark(uow, seq)
    for letter in _letters(uow, seq):
        dead_letters.close_replayed(uow, letter.id, letter.closed_by or RELAY)


def _letters(uow: UnitOfWork, seq: int) -> list[DeadLetterRow]:
    return list(
        uow.session.exec(select(DeadLetterRow).where(DeadLetterRow.topic == OUTBOX, DeadLetterRow.offset == seq))
    )
