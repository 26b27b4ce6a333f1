"""Datasets over HTTP: immutable versions, newest first."""

from fastapi import APIRouter

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Viewer
from controlplane.projections import datasets
from controlplane.store.tables import DatasetVersionRow
from schemas.problem import refusals
from schemas.views.datasets import DatasetVersionView, DatasetView
from schemas.views.pages import Page

router = APIRouter(tags=["datasets"])


@router.get("/v1/datasets")
def get_datasets(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[DatasetView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = datasets.list_datasets(session, str(after[0]) if after else "", limit + 1)
    items = [DatasetView(name=name, newest=newest, versions=count) for name, newest, count in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/datasets/{name}/versions", responses=refusals(404))
def get_versions(name: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[DatasetVersionView]:
    """Newest first."""
    below = decode_cursor(cursor, int)
    with call.read() as session:
        rows = datasets.list_versions(session, name, int(below[0]) if below else None, limit + 1)
    items = [view(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].version) if len(rows) > limit else None)


@router.get("/v1/dataset-versions/{reference:path}", responses=refusals(404))
def get_version(reference: str, call: Viewer) -> DatasetVersionView:
    """By id, `name/3` or `name@latest`."""
    with call.read() as session:
        return view(datasets.find_dataset_version(session, reference))


def view(row: DatasetVersionRow) -> DatasetVersionView:
    return DatasetVersionView.model_validate(row, from_attributes=True)
