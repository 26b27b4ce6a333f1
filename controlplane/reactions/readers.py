"""What the two kinds of events are read as, whom they act as, and what they are the cause of."""

from collections.abc import Callable, Mapping

from controlplane.commands.cursors import FACTS
from controlplane.commands.inbound import INBOUND_CONSUMER, receive_event
from controlplane.reactions.consumer import Reaction
from controlplane.store.unit_of_work import Cause, UnitOfWork
from controlplane.transport.port import UNREADABLE_BATCH, Delivery
from schemas.cloudevent import FeedEvent, InboundEvent
from schemas.kafka_binding import UnreadableEvent, from_message, inbound_from_message

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


def inbound_reaction() -> Reaction[InboundEvent]:
    """Somebody else's event acts as `event:<source>` and begins its own journey."""
    return Reaction(
        consumer=INBOUND_CONSUMER,
        read=_read_inbound,
        effect=receive_event,
        actor=lambda event: f"event:{event.source}",
        cause=lambda event: Cause(event.correlationid),
        has_own_inbox=True,
    )


def _read_inbound(delivery: Delivery) -> InboundEvent:
    faults = [value.decode() for name, value in delivery.message.headers if name == UNREADABLE_BATCH]
    if faults:
        raise UnreadableEvent(faults)
    return inbound_from_message(delivery.message)


def _read_fact(delivery: Delivery) -> FeedEvent:
    event = from_message(delivery.message)
    return FeedEvent.model_validate({**event.model_dump(mode="json"), "seq": delivery.offset})
