"""Models as they are read: versions by any of their names, what was learnt about one, and where it came from.

The statements behind one version are built once: building one a request took as long as running it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from controlplane.errors import Invalid, NotFound
from controlplane.projections.datasets import NAMED, NUMBERED, list_named
from controlplane.projections.identities import BEGINNING, identify
from controlplane.store.serving_tables import DeploymentRow
from controlplane.store.tables import (
    AliasHistoryRow,
    AliasRow,
    AttachmentRow,
    DatasetVersionRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from schemas.jobs import RESULTS
from schemas.jobs.results import GraphResult
from schemas.model.references import GraphRef

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
        raise NotFound(f"there is no model version {text!r}", field=field)
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
        raise NotFound(f"there is no model {name!r}")
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


# --- aliases ----------------------------------------------------------------------------------------------------------


def find_alias(session: Session, model: str, alias: str) -> tuple[AliasHistoryRow, int] | None:
    """The move that made an alias point where it points, and the version's number; None when it points nowhere."""
    query = (
        select(AliasHistoryRow, ModelVersionRow.version)
        .join(AliasRow, col(AliasRow.history_id) == AliasHistoryRow.id)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasRow.model_version_id)
        .where(AliasRow.model == model, AliasRow.alias == alias)
    )
    return session.exec(query).first()


def list_aliases(session: Session, models: list[str]) -> dict[str, dict[str, int]]:
    """Model to alias to version number."""
    query = (
        select(AliasRow.model, AliasRow.alias, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasRow.model_version_id)
        .where(col(AliasRow.model).in_(models))
        .order_by(col(AliasRow.alias))
    )
    found: dict[str, dict[str, int]] = {model: {} for model in models}
    for model, alias, version in session.exec(query):
        found[model][alias] = version
    return found


def find_follower(session: Session, model: str, alias: str) -> DeploymentRow | None:
    """The deployment that follows an alias: such an alias is bound."""
    query = select(DeploymentRow).where(DeploymentRow.model == model, DeploymentRow.alias == alias)
    return session.exec(query).first()


def list_moves(
    session: Session, model: str, alias: str, below: int | None, limit: int
) -> list[tuple[AliasHistoryRow, int | None]]:
    """Every move of an alias, newest first, with the number of the version that it moved to."""
    query = (
        select(AliasHistoryRow, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasHistoryRow.model_version_id, isouter=True)
        .where(AliasHistoryRow.model == model, AliasHistoryRow.alias == alias)
    )
    if below is not None:
        query = query.where(col(AliasHistoryRow.seq) < below)
    rows = session.exec(query.order_by(col(AliasHistoryRow.seq).desc()).limit(limit))
    return [(history, version) for history, version in rows]


# --- lineage ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lineage:
    """Everything that a version was made of, however far back."""

    versions: list[ModelVersionRow]
    datasets: list[DatasetVersionRow]


def trace_lineage(session: Session, version: ModelVersionRow) -> Lineage:
    """Parents of parents, and the dataset versions of all of them with their parents."""
    versions = _trace_versions(session, version)
    datasets = _trace_datasets(session, _learnt_from(version, *versions))
    return Lineage(sorted(versions, key=lambda row: (row.model, row.version)), datasets)


def list_trained_on(session: Session, version: ModelVersionRow) -> list[DatasetVersionRow]:
    """What a version learnt from, and what the versions did that it is made of; by name and number."""
    return list_named(session, sorted(_learnt_from(version, *_trace_versions(session, version))))


def _learnt_from(*versions: ModelVersionRow) -> set[UUID]:
    return {UUID(dataset) for version in versions for dataset in version.datasets}


def _trace_versions(session: Session, version: ModelVersionRow) -> list[ModelVersionRow]:
    """Every version that this one is made of, however far back."""
    found: dict[UUID, ModelVersionRow] = {}
    generation = [version]
    while wanted := {UUID(p) for row in generation for p in row.parents} - found.keys():
        generation = list(session.exec(select(ModelVersionRow).where(col(ModelVersionRow.id).in_(wanted))))
        found |= {row.id: row for row in generation}
    return list(found.values())


def _trace_datasets(session: Session, wanted: set[UUID]) -> list[DatasetVersionRow]:
    found: dict[UUID, DatasetVersionRow] = {}
    while wanted:
        rows = list_named(session, sorted(wanted))
        found |= {row.id: row for row in rows}
        wanted = {row.parent for row in rows if row.parent} - found.keys()
    return sorted(found.values(), key=lambda row: (row.dataset, row.version))
