"""Models over HTTP: versions with what was learnt about them, and where they came from."""

from fastapi import APIRouter

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Viewer
from controlplane.projections import models
from schemas.problem import refusals
from schemas.views.models import ModelView, VersionDetail, VersionView
from schemas.views.pages import Page

router = APIRouter(tags=["models"])


@router.get("/v1/models")
def get_models(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = models.list_models(session, str(after[0]) if after else "", limit + 1)
        items = models.model_views(session, rows[:limit])
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/models/{name}", responses=refusals(404))
def get_model(name: PathName, call: Viewer) -> ModelView:
    with call.read() as session:
        return models.model_views(session, [models.find_model(session, name)])[0]


@router.get("/v1/models/{name}/versions", responses=refusals(404))
def get_versions(name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[VersionView]:
    """Newest first."""
    below = decode_cursor(cursor, int)
    with call.read() as session:
        models.find_model(session, name)
        rows = models.list_versions(session, name, int(below[0]) if below else None, limit + 1)
    items = [models.version_view(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].version) if len(rows) > limit else None)


@router.get("/v1/model-versions/{reference:path}", responses=refusals(404))
def get_version(reference: str, call: Viewer) -> VersionDetail:
    """By id, `name/7`, `name@alias` or `name@latest`."""
    with call.read() as session:
        row, aliases = models.find_version_and_aliases(session, reference)
        return models.version_detail(session, row, aliases)
