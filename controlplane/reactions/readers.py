"""What the two kinds of events are read as, whom they act as, and what they are the cause of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.commands.automation.inbound import INBOUND_CONSUMER, receive_event
from controlplane.commands.spine.cursors import FACTS
from controlplane.reactions.consumer import Reaction
from controlplane.store.unit_of_work import Cause, UnitOfWork
from controlplane.transport.port import UNREADABLE_BATCH, Delivery
from schemas.cloudevent import FeedEvent, InboundEvent
from schemas.event_formats import UnreadableEvent
from schemas.kafka_binding import from_message, inbound_events_from_message

FactReaction = Callable[[UnitOfWork, FeedEvent], None]


def fact_reaction(reactions: Mapping[str, FactReaction]) -> Reaction[FeedEvent]:
    """One reaction a type of fact; what follows from a fact has it as its cause."""
    return Reaction(
        consumer=FACTS,
        read=_read_fact,
        effect=lambda uow, event: reactions[event.type](uow, event),
        actor=lambda event: "reactions",
        cause=lambda event: Cause(event.correlationid, event.id),
    )


@dataclass(frozen=True)
class InboundRecord:
    """What one record holds: an event of somebody else, or a batch of them."""

    events: Sequence[InboundEvent]

    @property
    def source(self) -> str:
        return self.events[0].source

    @property
    def id(self) -> str:
        """The id of a single event; empty for a batch, each of whose events is remembered by its own."""
        return self.events[0].id if len(self.events) == 1 else ""


def inbound_reaction() -> Reaction[InboundRecord]:
    """Each of somebody else's events acts as `event:<source>` and begins its own journey."""
    return Reaction(
        consumer=INBOUND_CONSUMER,
        read=_read_inbound,
        effect=_receive,
        actor=lambda record: _actor(record.events[0]),
        cause=lambda record: Cause(record.events[0].correlationid),
        has_own_inbox=True,
    )


def _receive(uow: UnitOfWork, record: InboundRecord) -> None:
    for event in record.events:
        uow.actor = _actor(event)
        receive_event(uow, event)


def _actor(event: InboundEvent) -> str:
    return f"event:{event.source}"


def _read_inbound(delivery: Delivery) -> InboundRecord | None:
    faults = [value.decode() for name, value in delivery.message.headers if name == UNREADABLE_BATCH]
    if faults:
        raise UnreadableEvent(faults)
    events = inbound_events_from_message(delivery.message)
    return InboundRecord(events) if events else None


def _read_fact(delivery: Delivery) -> FeedEvent:
    event = from_message(delivery.message)
    return FeedEvent.model_validate({**event.model_dump(mode="json"), "seq": delivery.offset})
