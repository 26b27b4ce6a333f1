"""Other people's events over HTTP, in every mode of the CloudEvents binding."""

from typing import Any

from fastapi import APIRouter, Response

from controlplane.api.request_context import Call, Operator
from controlplane.commands.automation.inbound import receive_event
from controlplane.errors import Invalid, PayloadTooLarge
from controlplane.store.tables import TriggerEvaluationRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.cloudevent import MAX_EVENT_BYTES, InboundEvent
from schemas.event_formats import UnreadableEvent, is_batch
from schemas.http_binding import inbound_from_request
from schemas.views.triggers import BatchReceipt, EvaluationView, Receipt

router = APIRouter(tags=["events"])
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "Structured mode: the event as application/cloudevents+json. Binary mode: the data, with the "
        "attributes as `ce-*` headers. At most 256 KiB. Or a batch, an array of at most 1000 structured events as "
        "application/cloudevents-batch+json: it is taken whole or, with what is wrong with each event, not at all.",
        "content": {
            "application/cloudevents+json": {"schema": {"type": "object"}},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/json": {"schema": {}},
        },
    }
}


def evaluation_view(row: TriggerEvaluationRow) -> EvaluationView:
    return EvaluationView.model_validate(row, from_attributes=True)


@router.post("/v1/events", status_code=202, response_model=Receipt | BatchReceipt, openapi_extra=BODY)
def post_event(call: Operator) -> Response:
    """Its identity is source and id: the same again changes nothing and gets the first answers."""
    events = _read(call)

    def effect(uow: UnitOfWork) -> Receipt | BatchReceipt:
        receipts = [_received(uow, event) for event in events]
        return BatchReceipt(items=receipts) if _is_batch(call) else receipts[0]

    return call.write(effect, status=202)


def _received(uow: UnitOfWork, event: InboundEvent) -> Receipt:
    received = receive_event(uow, event)
    evaluations = [evaluation_view(row) for row in received.evaluations]
    return Receipt(source=event.source, id=event.id, repeated=received.repeated, evaluations=evaluations)


def _is_batch(call: Call) -> bool:
    return is_batch(call.request.headers.get("content-type"))


def _read(call: Call) -> list[InboundEvent]:
    body: bytes = call.request.state.body
    if len(body) > MAX_EVENT_BYTES and not _is_batch(call):
        raise PayloadTooLarge(f"an event of {len(body)} bytes, at most {MAX_EVENT_BYTES} are accepted", field="data")
    try:
        return inbound_from_request(call.request.headers.items(), body)
    except UnreadableEvent as error:
        raise Invalid(str(error), field="event") from error
