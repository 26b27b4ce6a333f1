"""Triggers over HTTP, and every answer that they gave."""

from fastapi import APIRouter, Response

from controlplane.api.inbound import evaluation_view
from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.pipelines import document_body, read_spec
from controlplane.api.request_context import Operator, Viewer
from controlplane.api.revisions import Why
from controlplane.commands.automation import triggers as commands
from controlplane.projections import pipelines
from controlplane.projections.pipelines import EvaluationFilter
from controlplane.store.tables import TriggerRow
from schemas.pipelines import TriggerOutcome, TriggerSpec
from schemas.problem import refusals
from schemas.views.pages import Page
from schemas.views.triggers import EvaluationView, TriggerView

router = APIRouter(tags=["triggers"])


@router.put(
    "/v1/triggers/{name}",
    response_model=TriggerView,
    responses=refusals(404),
    openapi_extra=document_body(TriggerSpec),
)
def put_trigger(name: PathName, call: Operator, reason: Why = None) -> Response:
    """The body is YAML or JSON. The pipeline must exist and declare the params."""
    spec = read_spec(TriggerSpec, call.request.state.body, name)
    return call.write(lambda uow: view(commands.put_trigger(uow, spec, reason)))


@router.get("/v1/triggers")
def get_triggers(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[TriggerView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = pipelines.list_triggers(session, str(after[0]) if after else "", limit + 1)
    items = [view(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/triggers/{name}", responses=refusals(404))
def get_trigger(name: PathName, call: Viewer) -> TriggerView:
    with call.read() as session:
        return view(pipelines.find_trigger(session, name))


@router.delete("/v1/triggers/{name}", status_code=204, responses=refusals(404))
def delete_trigger(name: PathName, call: Operator, reason: Why = None) -> Response:
    """Its evaluations and its history stay, and what waits for a later match does not fire."""
    return call.write(lambda uow: commands.delete_trigger(uow, name, reason))


@router.get("/v1/trigger-evaluations")
def get_evaluations(
    call: Viewer,
    trigger: str | None = None,
    event: str | None = None,
    outcome: TriggerOutcome | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EvaluationView]:
    """Newest first. `event` is the event's id."""
    below = decode_cursor(cursor, int)
    wanted = EvaluationFilter(trigger, event, outcome)
    with call.read() as session:
        rows = pipelines.list_evaluations(session, wanted, int(below[0]) if below else None, limit + 1)
    items = [evaluation_view(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].seq) if len(rows) > limit else None)


def view(row: TriggerRow) -> TriggerView:
    return TriggerView.model_validate(row, from_attributes=True)
