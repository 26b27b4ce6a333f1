"""Models over HTTP: versions with what was learnt about them, and where they came from."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlmodel import Session

from controlplane.api.call import Viewer
from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.projections import models
from controlplane.store.tables import AttachmentRow, ModelVersionRow, RegisteredModelRow
from schemas.problem import refusals
from schemas.views.models import Ancestor, AttachmentView, LineageView, ModelView, VersionDetail, VersionView
from schemas.views.pages import Page

router = APIRouter(tags=["models"])


@router.get("/v1/models")
def get_models(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = models.list_models(session, str(after[0]) if after else "", limit + 1)
        items = _model_views(session, rows[:limit])
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/models/{name}", responses=refusals(404))
def get_model(name: PathName, call: Viewer) -> ModelView:
    with call.read() as session:
        return _model_views(session, [models.find_model(session, name)])[0]


@router.get("/v1/models/{name}/versions", responses=refusals(404))
def get_versions(name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[VersionView]:
    """Newest first."""
    below = decode_cursor(cursor, int)
    with call.read() as session:
        models.find_model(session, name)
        rows = models.list_versions(session, name, int(below[0]) if below else None, limit + 1)
    items = [VersionView(**_fields(row)) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].version) if len(rows) > limit else None)


@router.get("/v1/model-versions/{reference:path}", responses=refusals(404))
def get_version(reference: str, call: Viewer) -> VersionDetail:
    """By id, `name/7`, `name@alias` or `name@latest`."""
    with call.read() as session:
        row, aliases = models.find_version_and_aliases(session, reference)
        return VersionDetail(
            **_fields(row),
            aliases=aliases,
            attachments=[_attachment(found) for found in models.list_attachments(session, row.id)],
            lineage=_lineage(session, row),
        )


def _model_views(session: Session, rows: list[RegisteredModelRow]) -> list[ModelView]:
    aliases = models.list_aliases(session, [row.name for row in rows])
    return [
        ModelView(name=row.name, created_at=row.created_at, versions=row.versions, aliases=aliases[row.name])
        for row in rows
    ]


def _fields(row: ModelVersionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in VersionView.model_fields}


def _attachment(row: AttachmentRow) -> AttachmentView:
    return AttachmentView.model_validate(row, from_attributes=True)


def _lineage(session: Session, version: ModelVersionRow) -> LineageView:
    traced = models.trace_lineage(session, version)
    return LineageView(
        parents=[UUID(parent) for parent in version.parents],
        datasets=[UUID(dataset) for dataset in version.datasets],
        model_versions=[
            Ancestor(id=row.id, name=row.model, version=row.version, digest=row.adapter["digest"], job_id=row.job_id)
            for row in traced.versions
        ],
        dataset_versions=[
            Ancestor(id=row.id, name=row.dataset, version=row.version, digest=row.digest, job_id=row.job_id)
            for row in traced.datasets
        ],
    )
