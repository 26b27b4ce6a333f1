"""Datasets as they are read: names, versions, and one version by any of its names."""

import re
from uuid import UUID

from sqlmodel import Session, col, func, select

from controlplane.errors import Invalid, NotFound
from controlplane.projections.identities import BEGINNING, identify
from controlplane.projections.names import hint
from controlplane.store.tables import DatasetVersionRow

NUMBERED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)/(?P<version>[1-9][0-9]{0,8})$")
NAMED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)@(?P<alias>[a-z0-9_-]+)$")


def find_dataset_version(session: Session, text: str) -> DatasetVersionRow:
    """The version that `reviews@latest`, `reviews/3` or an id names. Raises Invalid or NotFound."""
    versions = select(DatasetVersionRow)
    if numbered := NUMBERED.match(text):
        query = versions.where(
            DatasetVersionRow.dataset == numbered["name"], DatasetVersionRow.version == int(numbered["version"])
        )
    elif (named := NAMED.match(text)) and named["alias"] == "latest":
        newest_first = col(DatasetVersionRow.version).desc()
        query = versions.where(DatasetVersionRow.dataset == named["name"]).order_by(newest_first).limit(1)
    elif BEGINNING.fullmatch(text.lower()):
        query = versions.where(DatasetVersionRow.id == identify(session, DatasetVersionRow, "dataset version", text))
    else:
        raise Invalid(f"{text!r} names no dataset version: write `name@latest`, `name/3` or an id", field="dataset")
    if (row := session.exec(query).first()) is None:
        near = hint(session, text, DatasetVersionRow.dataset)
        raise NotFound(f"there is no dataset version {text!r}", field="dataset", hint=near)
    return row


def list_datasets(session: Session, after: str, limit: int) -> list[tuple[str, int, int]]:
    """(name, newest version, how many versions) of datasets whose name follows `after`."""
    name = col(DatasetVersionRow.dataset)
    query = (
        select(name, func.max(DatasetVersionRow.version), func.count())
        .where(name > after)
        .group_by(name)
        .order_by(name)
        .limit(limit)
    )
    return [(str(dataset), int(newest or 0), int(count)) for dataset, newest, count in session.exec(query)]


def list_versions(session: Session, dataset: str, below: int | None, limit: int) -> list[DatasetVersionRow]:
    """Newest first. Raises NotFound for a dataset that nobody has curated."""
    query = select(DatasetVersionRow).where(DatasetVersionRow.dataset == dataset)
    if not session.exec(query.limit(1)).first():
        raise NotFound(f"there is no dataset {dataset!r}", hint=hint(session, dataset, DatasetVersionRow.dataset))
    if below is not None:
        query = query.where(col(DatasetVersionRow.version) < below)
    return list(session.exec(query.order_by(col(DatasetVersionRow.version).desc()).limit(limit)))


def list_named(session: Session, identities: list[UUID]) -> list[DatasetVersionRow]:
    """The versions with these ids, by name and number."""
    query = select(DatasetVersionRow).where(col(DatasetVersionRow.id).in_(identities))
    return list(session.exec(query.order_by(col(DatasetVersionRow.dataset), col(DatasetVersionRow.version))))
