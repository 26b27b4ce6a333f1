"""The two transports behind one face, so that one suite can hold both to the same promises."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlmodel import select

from controlplane.commands.spine.singleton import Singleton
from controlplane.reactions.consumer import Consumer
from controlplane.reactions.fact_source import FactSource
from controlplane.reactions.readers import fact_reaction
from controlplane.relay import Relay
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.store.unit_of_work import UnitOfWork
from controlplane.transport.kafka import KafkaPublisher, create_topics
from controlplane.transport.kafka_source import KafkaSource
from controlplane.transport.port import Source
from schemas.cloudevent import FeedEvent
from schemas.facts import EVENTS
from schemas.topics import FACT_TOPICS
from tests.support.waiting import wait_for

Effect = Callable[[UnitOfWork, FeedEvent], None]


def note(uow: UnitOfWork, event: FeedEvent) -> None:
    """An effect that can be counted: one row a time that it is had."""
    uow.session.add(
        TriggerEvaluationRow(
            source=event.source, event_id=event.id, event_type=event.type, outcome=event.subject,
            reason=str(event.data["attempt"]), at=uow.now(),
        )
    )  # fmt: skip


def effects(database: Database) -> list[tuple[str, int]]:
    """(subject, attempt) in the order in which the effects were had."""
    with database.read() as session:
        rows = session.exec(select(TriggerEvaluationRow).order_by(TriggerEvaluationRow.seq))  # type: ignore[arg-type]
        return [(row.outcome, int(row.reason)) for row in rows]


@dataclass
class Transport:
    """Facts go in by the database's unit of work and come out of `source(reader)`."""

    database: Database
    settings: Settings | None = None
    """None: embedded."""
    consumers: list[Consumer[FeedEvent]] = field(default_factory=list)
    relays: list[Relay] = field(default_factory=list)

    @property
    def on_kafka(self) -> bool:
        return self.settings is not None

    def prepare(self) -> None:
        if self.settings is not None:
            create_topics(self.settings)
            self.relay()

    def relay(self) -> Relay:
        """Another relay process's heart; the first one that holds the lease works."""
        assert self.settings is not None
        relay = Relay(self.database, KafkaPublisher(self.settings), Singleton(self.database, "relay", 5))
        self.relays.append(relay)
        return relay

    def pump(self) -> None:
        """Let the relay send what there is. Nothing to do when embedded: the table is the log."""
        while self.relays and self.relays[0].step():
            pass

    def source(self, reader: str) -> Source:
        if self.settings is None:
            singleton = Singleton(self.database, reader, 5)
            return FactSource(self.database, singleton, lambda _: [event.TYPE for event in EVENTS])
        return KafkaSource(self.settings, FACT_TOPICS, reader)

    def consumer(
        self, reader: str = "reader", effect: Effect = note, source: Source | None = None
    ) -> Consumer[FeedEvent]:
        reaction = fact_reaction({event.TYPE: effect for event in EVENTS})
        consumer = Consumer(self.database, source or self.source(reader), reaction, retry_seconds=0.01)
        self.consumers.append(consumer)
        return consumer

    def drain(
        self, consumer: Consumer[FeedEvent], until: Callable[[], bool], what: str, *, seconds: float = 60
    ) -> None:
        """Step until a condition holds, as the process's own loop would."""

        def step() -> bool:
            consumer.replay()
            consumer.step(0.2)
            return until()

        wait_for(step, what, seconds=seconds)

    def close(self) -> None:
        for consumer in self.consumers:
            consumer.source.close()
        for relay in self.relays:
            relay.close()
