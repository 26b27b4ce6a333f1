"""The door for other people's events: each has its effect once, and its answer is kept."""

from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select

from controlplane.commands.automation.triggers import Incoming, ask_triggers, let_fire, note_unmatched
from controlplane.commands.spine.inbox import is_first_time
from controlplane.domain.document import json_bytes
from controlplane.errors import Invalid, PayloadTooLarge
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import MAX_EVENT_BYTES, InboundEvent
from schemas.facts import InboundReceived

INBOUND_CONSUMER: Final = "inbound"


@dataclass(frozen=True)
class Received:
    evaluations: list[TriggerEvaluationRow]
    repeated: bool
    """It had come before: these are the answers of the first time, and nothing was done."""


def receive_event(uow: UnitOfWork, event: InboundEvent, consumer: str = INBOUND_CONSUMER) -> Received:
    """Ask every trigger, record that the event came and what each answered, and start what fires.

    Whichever door it comes by, (source, id) has its effect once.
    """
    document = _storable(uow, event)
    if not is_first_time(uow, consumer, event.source, event.id):
        return Received(_first_answers(uow, event), repeated=True)
    incoming = Incoming(document)
    asked = ask_triggers(uow, incoming) or [note_unmatched(uow, incoming)]
    fact = InboundReceived(
        source=event.source,
        event_id=event.id,
        event_type=event.type,
        outcomes={one.row.trigger: one.row.outcome for one in asked if one.row.trigger},
    )
    received = uow.record(fact, f"event/{event.id}", Cause(event.correlationid))
    cause = Cause(event.correlationid, str(received))
    return Received(let_fire(uow, asked, cause), repeated=False)


def _storable(uow: UnitOfWork, event: InboundEvent) -> dict[str, object]:
    """The event as JSON. Raises PayloadTooLarge and Invalid for what we cannot keep."""
    if event.source == uow.source:
        raise Invalid(f"source {event.source!r} is Graftwork's own: name yours", field="source")
    document: dict[str, object] = event.model_dump(mode="json", exclude_none=True)
    for part, value in (("data", document.get("data")), ("attributes", {**document, "data": None})):
        size = len(json_bytes(value, part))
        if size > MAX_EVENT_BYTES and (part == "data" or "data_base64" not in document):
            raise PayloadTooLarge(f"event {part}: {size} bytes, at most {MAX_EVENT_BYTES} are accepted", field=part)
    return document


def _first_answers(uow: UnitOfWork, event: InboundEvent) -> list[TriggerEvaluationRow]:
    query = select(TriggerEvaluationRow).where(
        TriggerEvaluationRow.source == event.source, TriggerEvaluationRow.event_id == event.id
    )
    return list(uow.session.exec(query.order_by(col(TriggerEvaluationRow.seq))))
