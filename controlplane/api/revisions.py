"""Histories over HTTP: who changed a deployment, a pipeline or a trigger, what of it, and why."""

from typing import Annotated

from fastapi import APIRouter, Query

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Call, Viewer
from controlplane.projections.revisions import history
from schemas.problem import refusals
from schemas.views.pages import Page
from schemas.views.revisions import RevisionView

router = APIRouter()
Why = Annotated[str | None, Query(alias="reason", min_length=1, max_length=500)]
"""Why somebody applies a document that has no room for a reason."""


@router.get("/v1/deployments/{name:segment}/history", responses=refusals(404), tags=["deployments"])
def get_deployment_history(
    name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None
) -> Page[RevisionView]:
    """Every policy that it had, newest first."""
    return _page(call, "deployment", name, limit, cursor)


@router.get("/v1/pipelines/{name:segment}/history", responses=refusals(404), tags=["pipelines"])
def get_pipeline_history(name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[RevisionView]:
    """Every spec that it had, newest first."""
    return _page(call, "pipeline", name, limit, cursor)


@router.get("/v1/triggers/{name}/history", responses=refusals(404), tags=["triggers"])
def get_trigger_history(name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[RevisionView]:
    """Every spec that it had and every deletion, newest first; also of one that is deleted."""
    return _page(call, "trigger", name, limit, cursor)


def _page(call: Call, noun: str, name: str, limit: int, cursor: str | None) -> Page[RevisionView]:
    below = decode_cursor(cursor, int)
    with call.read() as session:
        found = history(session, noun, name, int(below[0]) if below else None, limit + 1)
    last = found[limit - 1].revision if len(found) > limit else None
    return Page(items=found[:limit], next=encode_cursor(last) if last else None)
