"""Brings every delivery to one of its exits: its effect once, a later try, or the dead letter."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from controlplane.commands.spine import dead_letters
from controlplane.commands.spine.dead_letters import Burial
from controlplane.commands.spine.inbox import forget, is_first_time
from controlplane.errors import Busy, Invalid, LostLease, PayloadTooLarge
from controlplane.projections.dead_letters import delivery_of
from controlplane.reactions.progress import Progress
from controlplane.reactions.tries import Tries
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from controlplane.transport.port import Delivery, Publisher, Source, Unavailable
from schemas.event_formats import UnreadableEvent
from schemas.kafka_binding import KafkaMessage
from schemas.topics import DEAD_LETTER

log = logging.getLogger(__name__)

PASSING: Final = (Busy, Unavailable, OperationalError, InterfaceError)
"""Faults that pass by themselves: never a dead letter, however long they last."""
MAX_TRIES: Final = 5
"""Tries that may end in an unexpected exception, or in the death of the process, before a delivery is a dead letter."""
DEADLY: Final = "the process ended in each of {} tries: it was killed, or ran out of memory"
Place = tuple[str, int]


class Identified(Protocol):
    @property
    def source(self) -> str: ...
    @property
    def id(self) -> str: ...


E = TypeVar("E", bound=Identified)


@dataclass(frozen=True)
class Reaction(Generic[E]):
    """What one consumer does with a delivery."""

    consumer: str
    read: Callable[[Delivery], E | None]
    """None: nothing of ours, skip it. Raises UnreadableEvent."""
    effect: Callable[[UnitOfWork, E], object]
    actor: Callable[[E], str]
    cause: Callable[[E], Cause]
    has_own_inbox: bool = False
    """The effect deduplicates by itself, because its events come by other doors too."""


@dataclass
class Consumer(Generic[E]):
    """One source, one reaction; `mirror` is where dead letters are copied to."""

    database: Database
    source: Source
    reaction: Reaction[E]
    mirror: Publisher | None = None
    max_tries: int = MAX_TRIES
    retry_seconds: float = 0.2
    tries: Tries = field(init=False)
    progress: Progress = field(init=False)
    waits: dict[Place, int] = field(default_factory=dict)
    """How often the delivery that each partition stands at was put off, for whatever reason."""

    def __post_init__(self) -> None:
        self.tries = Tries(self.database, self.reaction.consumer)
        self.progress = Progress(self.database, self.reaction.consumer, self.source)

    def run(self, stop: threading.Event, poll_seconds: float = 0.5) -> None:
        """Until told to stop. Ends with what is done committed and nothing half done."""
        failures = 0
        try:
            while not stop.is_set():
                try:
                    self.replay()
                    self.step(poll_seconds)
                    self.progress.report()
                    failures = 0
                except (*PASSING, LostLease) as error:
                    failures += 1
                    log.warning("%s: %s (try %d)", self.reaction.consumer, error, failures)
                    stop.wait(backoff(self.retry_seconds, failures))
        finally:
            self.source.close()
            if self.mirror is not None:
                self.mirror.close()

    def step(self, poll_seconds: float) -> int:
        """Take one batch to its exits; answers how many were done."""
        held: set[Place] = set()
        done = 0
        deliveries = self.source.poll(poll_seconds)
        taken = self._taken(deliveries)
        for delivery in deliveries:
            place = (delivery.topic, delivery.partition)
            if place in held:
                continue  # after the one that must be tried again, in its order
            if taken and self._has_its_exit(delivery):
                self.tries.ended(delivery)
                self.waits.pop(place, None)
                self.source.done(delivery)
                done += 1
            else:
                held.add(place)
                self.waits[place] = self.waits.get(place, 0) + 1
                self.source.retry(delivery, backoff(self.retry_seconds, self.waits[place]))
        self.source.commit()
        return done

    def replay(self) -> None:
        """Give letters that a person sent back their effect."""
        with self.database.read() as session:
            letters = dead_letters.letters_to_replay(session, self.reaction.consumer)
        for letter in letters:
            self._replay(letter)

    def _taken(self, deliveries: Sequence[Delivery]) -> bool:
        """Noted before the first effect; False: not yet, try again."""
        try:
            if deliveries:
                self.tries.take(deliveries)
        except PASSING as error:
            log.warning("%s: %s before %s", self.reaction.consumer, error, _place(deliveries[0]))
            return False
        return True

    def _has_its_exit(self, delivery: Delivery) -> bool:
        try:
            tries = self.tries.begin(delivery)
            if tries > self.max_tries:
                return self._buried(delivery, DEADLY.format(self.max_tries), self.max_tries)
            self._have_effect(delivery)
        except (UnreadableEvent, Invalid, PayloadTooLarge) as error:
            return self._buried(delivery, f"unreadable: {error}")
        except PASSING as error:
            log.warning("%s: %s at %s", self.reaction.consumer, error, _place(delivery))
            return False
        except Exception as error:
            return self._has_failed(delivery, error)
        return True

    def _has_failed(self, delivery: Delivery, error: Exception) -> bool:
        try:
            tries = self.tries.failed(delivery)
        except PASSING as passing:
            log.warning("%s: a try of %s was not counted: %s", self.reaction.consumer, _place(delivery), passing)
            return False
        log.error("%s: try %d of %s failed", self.reaction.consumer, tries, _place(delivery), exc_info=error)
        if tries < self.max_tries:
            return False
        return self._buried(delivery, f"{type(error).__name__}: {error}", tries)

    def _have_effect(self, delivery: Delivery) -> None:
        event = self.reaction.read(delivery)
        with self._begin(event) as uow:
            if event is not None and self._is_first_time(uow, event):
                self.reaction.effect(uow, event)
            self.tries.put_down(uow, delivery)

    def _is_first_time(self, uow: UnitOfWork, event: E) -> bool:
        return self.reaction.has_own_inbox or is_first_time(uow, self.reaction.consumer, event.source, event.id)

    def _begin(self, event: E | None) -> AbstractContextManager[UnitOfWork]:
        if event is None:  # nothing of ours: passed over
            return self.database.begin(self.reaction.consumer)
        return self.database.begin(self.reaction.actor(event), self.reaction.cause(event))

    def _buried(self, delivery: Delivery, reason: str, attempts: int = 1) -> bool:
        """The letter is stored before the source remembers that it is done; False: not yet, try again."""
        try:
            with self.database.begin(self.reaction.consumer) as uow:
                dead_letters.bury(uow, delivery, Burial(self.reaction.consumer, reason, attempts))
            if self.mirror is not None:
                self._copy(self.mirror, delivery, reason)
            with self.database.begin(self.reaction.consumer) as uow:  # only now: what was not copied comes again
                self.tries.put_down(uow, delivery)
        except PASSING as error:
            log.warning("%s: the dead letter of %s waits: %s", self.reaction.consumer, _place(delivery), error)
            return False
        log.error("%s: dead letter at %s: %s", self.reaction.consumer, _place(delivery), reason)
        return True

    def _copy(self, mirror: Publisher, delivery: Delivery, reason: str) -> None:
        origin = (
            ("dead-letter-consumer", self.reaction.consumer),
            ("dead-letter-topic", delivery.topic),
            ("dead-letter-partition", str(delivery.partition)),
            ("dead-letter-offset", str(delivery.offset)),
            ("dead-letter-reason", dead_letters.legible(reason)),
        )
        message = delivery.message
        headers = (*message.headers, *((name, text.encode()) for name, text in origin))
        refused = mirror.publish([(DEAD_LETTER, KafkaMessage(message.key, message.value, headers))])[0]
        if refused:
            log.error("the broker refuses the copy of the dead letter of %s: %s", _place(delivery), refused)

    def _replay(self, letter: DeadLetterRow) -> None:
        delivery = delivery_of(letter)
        try:
            self.tries.take_alone(delivery)
            if self.tries.begin(delivery) > self.max_tries:
                raise UnreadableEvent([DEADLY.format(self.max_tries)])
            self._replay_effect(letter, delivery)
        except PASSING:
            raise
        except Exception as error:
            log.warning("%s: replaying dead letter %s failed: %s", self.reaction.consumer, letter.id, error)
            with self.database.begin(self.reaction.consumer) as uow:
                dead_letters.reopen(uow, letter.id, f"{type(error).__name__}: {error}")
                self.tries.put_down(uow, delivery)
        self.tries.ended(delivery)

    def _replay_effect(self, letter: DeadLetterRow, delivery: Delivery) -> None:
        event = self.reaction.read(delivery)
        if event is None:
            raise UnreadableEvent(["this code has no reaction to that type"])
        with self._begin(event) as uow:
            if dead_letters.close_replayed(uow, letter.id, letter.closed_by or self.reaction.consumer):
                forget(uow, self.reaction.consumer, event.source, event.id)
                self._is_first_time(uow, event)
                self.reaction.effect(uow, event)
            self.tries.put_down(uow, delivery)


def backoff(first: float, tries: int) -> float:
    """Doubles from the first wait to at most 30 s."""
    return min(30.0, first * 2.0 ** min(tries - 1, 16))


def _place(delivery: Delivery) -> str:
    return f"{delivery.topic}/{delivery.partition}/{delivery.offset}"
