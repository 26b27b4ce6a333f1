"""Outbox → Kafka: in seq order, at least once, by the one process that holds the lease."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import col, select

from controlplane.commands.spine import dead_letters
from controlplane.commands.spine.cursors import cursor_of, move_cursor
from controlplane.commands.spine.dead_letters import OUTBOX, RELAY, Burial
from controlplane.commands.spine.singleton import Singleton
from controlplane.errors import Busy, LostLease
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, ParkedEventRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.event_log import OutboxFact, read_outbox, read_parked
from controlplane.transport.kafka import KafkaPublisher, create_topics
from controlplane.transport.port import HELD_BACK, Delivery, Publisher, Unavailable

log = logging.getLogger(__name__)

BATCH: Final = 500
LOOK_SECONDS: Final = 0.2
PASSING: Final = (Busy, LostLease, Unavailable, OperationalError, InterfaceError)


def run(database: Database, settings: Settings, stop: threading.Event) -> None:
    """Until told to stop. A fault that passes is retried for ever; topics are created first."""
    singleton = Singleton(database, RELAY, settings.singleton_lease_seconds)
    relay = Relay(database, KafkaPublisher(settings), singleton)
    failures, topics_exist = 0, False
    committed = threading.Event()
    database.on_commit.append(committed.set)
    try:
        while not stop.is_set():
            try:
                if not topics_exist:
                    create_topics(settings)
                    topics_exist = True
                committed.clear()
                busy = relay.step()
                failures = 0
                if not busy:
                    committed.wait(LOOK_SECONDS)
            except PASSING as error:
                failures += 1
                log.warning("relay: %s (try %d)", error, failures)
                stop.wait(min(10.0, 0.2 * 2.0 ** min(failures, 10)))
    finally:
        database.on_commit.remove(committed.set)
        relay.close()


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
            dealt_with, some_wait = self._relay_batch(fence)
            return dealt_with + (self._release_parked(fence) if some_wait else 0)
        except LostLease:
            self._singleton.lose()
            raise

    def close(self) -> None:
        self._publisher.close()
        try:
            self._singleton.release()
        except (Busy, DBAPIError) as error:
            log.warning("relay: the lease was not given back, it expires by itself: %s", error)

    def _relay_batch(self, fence: int) -> tuple[int, bool]:
        """How many facts it dealt with, and whether any subject waited for a person before."""
        with self._database.read() as session:
            facts = read_outbox(session, cursor_of(session, RELAY), BATCH)
            waiting = set(session.exec(select(ParkedEventRow.subject)))
        if not facts:
            return 0, bool(waiting)
        sendable = [fact for fact in facts if fact.subject not in waiting]
        refusals = self._publish(sendable)
        with self._singleton.begin(fence) as uow:
            for fact in facts:
                reason = HELD_BACK if fact.subject in waiting else refusals.get(fact.seq)
                if reason is not None:
                    _keep_back(uow, fact, reason)
            move_cursor(uow, RELAY, facts[-1].seq, fence)
        return len(facts), bool(waiting)

    def _publish(self, facts: Sequence[OutboxFact]) -> dict[int, str]:
        """Seq to the reason of those that the broker refuses, and of those that must not overtake them."""
        outcomes = self._publisher.publish([(fact.topic, fact.message) for fact in facts])
        return {fact.seq: reason for fact, reason in zip(facts, outcomes, strict=True) if reason}

    def _release_parked(self, fence: int) -> int:
        """Send, in order, what no longer waits for a person; the first refusal holds its subject back again."""
        with self._database.read() as session:
            parked = read_parked(session, _is_released(), BATCH)
        held: set[str] = set()
        for fact in parked:
            if fact.subject in held:
                continue
            reason = self._publish([fact]).get(fact.seq)
            with self._singleton.begin(fence) as uow:
                if reason:
                    held.add(fact.subject)
                    _bury_again(uow, fact, reason)
                else:
                    _close(uow, fact.seq)
        return len(parked)


def _is_released() -> ColumnElement[bool]:
    """A parked fact of a subject of which no letter is open."""
    still_open = (
        select(ParkedEventRow.subject)
        .join(DeadLetterRow, col(DeadLetterRow.offset) == col(ParkedEventRow.seq))
        .where(DeadLetterRow.topic == OUTBOX, DeadLetterRow.status == "Open")
    )
    return col(ParkedEventRow.subject).not_in(still_open)


def _keep_back(uow: UnitOfWork, fact: OutboxFact, reason: str) -> None:
    if reason != HELD_BACK:
        _bury(uow, fact, reason)
    dead_letters.park(uow, fact.seq, fact.subject, reason)


def _bury(uow: UnitOfWork, fact: OutboxFact, reason: str) -> None:
    log.error(
        "relay: the broker refuses fact %d of %s for good, its successors wait: %s", fact.seq, fact.subject, reason
    )
    dead_letters.bury(uow, Delivery(OUTBOX, 0, fact.seq, fact.message), Burial(RELAY, f"refused: {reason}"))


def _bury_again(uow: UnitOfWork, fact: OutboxFact, reason: str) -> None:
    _bury(uow, fact, reason)
    for letter in _letters(uow, fact.seq):
        dead_letters.reopen(uow, letter.id, f"refused: {reason}")


def _close(uow: UnitOfWork, seq: int) -> None:
    dead_letters.unpark(uow, seq)
    for letter in _letters(uow, seq):
        dead_letters.close_replayed(uow, letter.id, letter.closed_by or RELAY)


def _letters(uow: UnitOfWork, seq: int) -> list[DeadLetterRow]:
    return list(
        uow.session.exec(select(DeadLetterRow).where(DeadLetterRow.topic == OUTBOX, DeadLetterRow.offset == seq))
    )
