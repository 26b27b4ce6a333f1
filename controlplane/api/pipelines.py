"""Pipelines and their runs over HTTP. A pipeline's body is YAML or JSON."""

from typing import Any, TypeVar

from fastapi import APIRouter, Response
from pydantic import BaseModel, ValidationError

from controlplane.api.identities import RunId
from controlplane.api.pages import Cursor, Limit, decode_cursor, decode_moment, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Operator, Viewer
from controlplane.api.revisions import Why
from controlplane.commands.automation import pipelines as commands
from controlplane.domain.document import load_document
from controlplane.errors import InvalidDocument
from controlplane.projections import pipelines
from controlplane.projections.pipelines import RunFilter
from controlplane.store.tables import PipelineRow, PipelineRunRow
from schemas.phases import RunPhase
from schemas.pipelines import PipelineSpec
from schemas.problem import refusals
from schemas.views.pages import Page
from schemas.views.pipelines import CancelRequest, PipelineView, RunRequest, RunView

router = APIRouter(tags=["pipelines"])
M = TypeVar("M", bound=BaseModel)


def document_body(schema: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI describes a body that may be YAML or JSON; an answer must have that schema too."""
    reference = {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}
    content = dict.fromkeys(("application/yaml", "application/json"), reference)
    return {"requestBody": {"required": True, "content": content}}


def read_spec(model: type[M], body: bytes, name: str) -> M:
    """What that document says. Raises Invalid, with each field that is wrong."""
    document = load_document(body, name)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidDocument(error, document) from error


@router.put("/v1/pipelines/{name:segment}", response_model=PipelineView, openapi_extra=document_body(PipelineSpec))
def put_pipeline(name: PathName, call: Operator, reason: Why = None) -> Response:
    """A new revision where it changes something. Runs that have begun go on by the spec that they began with."""
    spec = read_spec(PipelineSpec, call.request.state.body, name)
    return call.write(lambda uow: view(commands.put_pipeline(uow, spec, reason)))


@router.get("/v1/pipelines")
def get_pipelines(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[PipelineView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = pipelines.list_pipelines(session, str(after[0]) if after else "", limit + 1)
    items = [view(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/pipelines/{name:segment}", responses=refusals(404))
def get_pipeline(name: PathName, call: Viewer) -> PipelineView:
    with call.read() as session:
        return view(pipelines.find_pipeline(session, name))


@router.post("/v1/pipelines/{name:segment}:run", status_code=201, response_model=RunView, responses=refusals(404, 409))
def post_run(name: PathName, body: RunRequest, call: Operator) -> Response:
    """A stage that cannot be requested fails the run, so look at the answer's phase."""
    request = commands.RunRequest(pipeline=name, params=body.params, actor=call.principal.name)
    return call.write(lambda uow: run_view(commands.start_run(uow, request)), status=201)


@router.get("/v1/pipeline-runs")
def get_runs(
    call: Viewer,
    pipeline: str | None = None,
    phase: RunPhase | None = None,
    trigger: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RunView]:
    """Newest first."""
    wanted = RunFilter(pipeline, phase, trigger)
    with call.read() as session:
        rows = pipelines.list_runs(session, wanted, decode_moment(cursor), limit + 1)
    items = [run_view(row) for row in rows[:limit]]
    last = (items[-1].created_at.isoformat(), str(items[-1].id)) if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(*last) if last else None)


@router.get("/v1/pipeline-runs/{run_id:segment}", responses=refusals(404))
def get_run(call: Viewer, run_id: RunId) -> RunView:
    with call.read() as session:
        return run_view(pipelines.find_run(session, run_id))


@router.post("/v1/pipeline-runs/{run_id:segment}:cancel", response_model=RunView, responses=refusals(404, 409))
def post_cancel(call: Operator, run_id: RunId, body: CancelRequest) -> Response:
    """Its jobs are cancelled and the run ends when they have; a rollout that it started goes on to its own end."""
    return call.write(lambda uow: run_view(commands.cancel_run(uow, run_id, body.reason)))


def view(row: PipelineRow) -> PipelineView:
    return PipelineView.model_validate(row, from_attributes=True)


def run_view(row: PipelineRunRow) -> RunView:
    return RunView.model_validate(row, from_attributes=True)
