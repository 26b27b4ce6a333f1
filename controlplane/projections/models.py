"""Models as they are read: versions by any of their names, and what was learnt about one.

The statements behind one version are built once: building one a request took as long as running it.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from controlplane.errors import Invalid, NotFound
from controlplane.projections.aliases import list_aliases
from controlplane.projections.datasets import NAMED, NUMBERED
from controlplane.projections.identities import BEGINNING, identify
from controlplane.projections.lineage import lineage_view
from controlplane.projections.names import hint
from controlplane.store.tables import (
    AliasRow,
    AttachmentRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from schemas.jobs import RESULTS
from schemas.jobs.results import GraphResult
from schemas.model.references import GraphRef
from schemas.views.models import AttachmentView, ModelView, VersionDetail, VersionView

POINTING = aliased(AliasRow)
ALIASES = (
    select(func.aggregate_strings(col(POINTING.alias), ","))
    .where(POINTING.model == ModelVersionRow.model, POINTING.model_version_id == ModelVersionRow.id)
    .scalar_subquery()
)
VERSIONS = select(ModelVersionRow, ALIASES)
BY_ID = VERSIONS.where(col(ModelVersionRow.id) == bindparam("id"))
OF_MODEL = VERSIONS.where(col(ModelVersionRow.model) == bindparam("model"))
BY_NUMBER = OF_MODEL.where(col(ModelVersionRow.version) == bindparam("version"))
LATEST = OF_MODEL.order_by(col(ModelVersionRow.version).desc()).limit(1)
BY_ALIAS = VERSIONS.join(AliasRow, col(AliasRow.model_version_id) == ModelVersionRow.id).where(
    col(AliasRow.model) == bindparam("model"), col(AliasRow.alias) == bindparam("alias")
)
ATTACHMENTS = (
    select(AttachmentRow)
    .where(col(AttachmentRow.model_version_id) == bindparam("id"))
    .order_by(col(AttachmentRow.created_at), col(AttachmentRow.digest))
)
GRAPHS: Final = tuple(kind for kind, result in RESULTS.items() if issubclass(result, GraphResult))
"""Attachments that hold a graph to serve."""
NEWEST_GRAPH = (
    select(AttachmentRow)
    .where(col(AttachmentRow.model_version_id) == bindparam("id"), col(AttachmentRow.kind).in_(GRAPHS))
    .order_by(col(AttachmentRow.created_at).desc(), col(AttachmentRow.digest).desc())
    .limit(1)
)


def find_version(session: Session, text: str, field: str = "model_version") -> ModelVersionRow:
    """The version that `sentiment@champion`, `sentiment@latest`, `sentiment/7` or an id names.

    Raises Invalid for what is no such name, NotFound for one that points nowhere; both name the `field` it stood in.
    """
    return find_version_and_aliases(session, text, field)[0]


def find_version_and_aliases(
    session: Session, text: str, field: str = "model_version"
) -> tuple[ModelVersionRow, list[str]]:
    """The same, with every alias that points at it, in one statement."""
    parameters: dict[str, UUID | str | int]
    if numbered := NUMBERED.match(text):
        query, parameters = BY_NUMBER, {"model": numbered["name"], "version": int(numbered["version"])}
    elif (named := NAMED.match(text)) and named["alias"] == "latest":
        query, parameters = LATEST, {"model": named["name"]}
    elif named:
        query, parameters = BY_ALIAS, {"model": named["name"], "alias": named["alias"]}
    elif BEGINNING.fullmatch(text.lower()):
        query, parameters = BY_ID, {"id": identify(session, ModelVersionRow, "model version", text, field)}
    else:
        raise Invalid(f"{text!r} names no model version: write `name@alias`, `name/7` or an id", field=field)
    if (found := session.exec(query, params=parameters).first()) is None:
        near = hint(session, text, RegisteredModelRow.name)
        raise NotFound(f"there is no model version {text!r}", field=field, hint=near)
    row, aliases = found
    return row, sorted(aliases.split(",")) if aliases else []


def name_versions(session: Session, versions: Iterable[UUID | None]) -> dict[UUID, str]:
    """`sentiment/3` of each version's id; one that does not exist is called by its id."""
    wanted = {version for version in versions if version}
    query = select(ModelVersionRow.id, ModelVersionRow.model, ModelVersionRow.version)
    found = session.exec(query.where(col(ModelVersionRow.id).in_(wanted))) if wanted else ()
    return {one: str(one) for one in wanted} | {one: f"{model}/{version}" for one, model, version in found}


def find_model(session: Session, name: str) -> RegisteredModelRow:
    if (row := session.get(RegisteredModelRow, name)) is None:
        raise NotFound(f"there is no model {name!r}", hint=hint(session, name, RegisteredModelRow.name))
    return row


def list_models(session: Session, after: str, limit: int) -> list[RegisteredModelRow]:
    name = col(RegisteredModelRow.name)
    return list(session.exec(select(RegisteredModelRow).where(name > after).order_by(name).limit(limit)))


def list_versions(session: Session, model: str, below: int | None, limit: int) -> list[ModelVersionRow]:
    """Newest first."""
    query = select(ModelVersionRow).where(ModelVersionRow.model == model)
    if below is not None:
        query = query.where(col(ModelVersionRow.version) < below)
    return list(session.exec(query.order_by(col(ModelVersionRow.version).desc()).limit(limit)))


def list_attachments(session: Session, version: UUID) -> list[AttachmentRow]:
    """What was learnt about a version, oldest first."""
    return list(session.exec(ATTACHMENTS, params={"id": version}))


def find_graph(session: Session, version: UUID) -> GraphRef | None:
    """The newest graph of a version, the last of `list_attachments`; None: there is nothing that could be served."""
    row = session.exec(NEWEST_GRAPH, params={"id": version}).first()
    return GraphRef.model_validate(row.data["graph"]) if row else None


def model_views(session: Session, rows: list[RegisteredModelRow]) -> list[ModelView]:
    aliases = list_aliases(session, [row.name for row in rows])
    return [
        ModelView(name=row.name, created_at=row.created_at, versions=row.versions, aliases=aliases[row.name])
        for row in rows
    ]


def version_view(row: ModelVersionRow) -> VersionView:
    return VersionView(**_fields(row))


def version_detail(session: Session, row: ModelVersionRow, aliases: list[str]) -> VersionDetail:
    """A version with what was learnt about it, and where it came from."""
    return VersionDetail(
        **_fields(row),
        aliases=aliases,
        attachments=[_attachment(found) for found in list_attachments(session, row.id)],
        lineage=lineage_view(session, row),
    )


def _fields(row: ModelVersionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in VersionView.model_fields}


def _attachment(row: AttachmentRow) -> AttachmentView:
    return AttachmentView.model_validate(row, from_attributes=True)
