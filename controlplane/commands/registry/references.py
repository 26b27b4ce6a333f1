"""A spec's names become whole references, so that a worker needs no database: by its fields' types, not its kind."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ValidationError
from sqlmodel import Session, select

from controlplane.commands.registry.base_graphs import find_base_graph
from controlplane.errors import GraftworkError, Invalid, InvalidDocument
from controlplane.projections.aliases import find_alias
from controlplane.projections.datasets import find_dataset_version
from controlplane.projections.lineage import list_trained_on
from controlplane.projections.models import find_graph, find_version
from controlplane.store.tables import DatasetVersionRow, ModelVersionRow
from schemas.artifacts import ArtifactRef, DatasetRef, Reference
from schemas.jobs import SPECS, JobKind, JobSpec
from schemas.jobs.references import (
    BaseGraphOf,
    Filled,
    GraphOf,
    OtherThan,
    ServedGraphOf,
    TrainedOn,
    marked,
    with_references,
)
from schemas.model.references import GraphRef, ModelRef


def resolve_spec(session: Session, kind: JobKind, raw_spec: Mapping[str, Any]) -> JobSpec:
    """The complete spec of a request.

    Raises Invalid with the field: for what the spec's schema refuses, and for a name that nothing has (with the
    nearest one that something has).
    """
    raw = dict(raw_spec)
    if raw.setdefault("kind", kind) != kind:
        raise Invalid(f"kind {str(raw['kind'])[:40]!r}: this is a {kind!r} job", field="spec.kind")
    for field in marked(SPECS[kind], Filled):
        if raw.get(field) is not None:
            raise Invalid(f"{field} is put there by the control plane: leave it out", field=f"spec.{field}")
    raw |= dict.fromkeys(_not_set_yet(session, SPECS[kind], raw))
    whole = with_references(SPECS[kind], raw, lambda wanted, value, path: _look_up(session, wanted, value, path))
    try:
        spec = SPECS[kind].model_validate(whole)
    except ValidationError as error:
        raise InvalidDocument(error, whole, "spec") from error
    _refuse_itself(spec)
    return spec.model_copy(update=_filled(session, spec))


def without_filled(kind: JobKind, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A complete spec as it may be asked for again: without what the control plane puts there."""
    return {name: value for name, value in spec.items() if name not in marked(SPECS[kind], Filled)}


# --- names ------------------------------------------------------------------------------------------------------------


def _dataset_ref(session: Session, name: str) -> DatasetRef:
    return _to_dataset_ref(find_dataset_version(session, name))


def _to_dataset_ref(row: DatasetVersionRow) -> DatasetRef:
    return DatasetRef.model_validate({field: getattr(row, field) for field in DatasetRef.model_fields})


def _model_ref(session: Session, name: str) -> ModelRef:
    row = find_version(session, name)
    return ModelRef.model_validate({field: getattr(row, field) for field in ModelRef.model_fields})


LOOKUPS: Final[Mapping[type[Reference], Callable[[Session, str], Reference]]] = {
    DatasetRef: _dataset_ref,
    ModelRef: _model_ref,
}
"""How a name becomes a reference of one type."""


def _look_up(session: Session, wanted: type[Reference], value: Any, path: str) -> Any:
    name = _name_in(value)
    if name is None:
        return value
    try:
        return LOOKUPS[wanted](session, name)
    except GraftworkError as error:
        raise Invalid(error.detail + error.hint, field=f"spec.{path}") from error


def _name_in(value: Any) -> str | None:
    """A name as written; of a whole reference only its id is believed."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return str(value) if isinstance(value, str | UUID) else None


# --- another version to compare with ----------------------------------------------------------------------------------


def _not_set_yet(session: Session, spec: type[BaseModel], raw: Mapping[str, Any]) -> list[str]:
    """Fields that name an alias without a version: a pipeline names the champion before its first release."""
    return [
        field
        for field, mark in marked(spec, OtherThan).items()
        if _is_not_set_yet(session, raw.get(field), raw.get(mark.of), mark.of)
    ]


def _is_not_set_yet(session: Session, name: Any, version: Any, path: str) -> bool:
    model, at, alias = name.partition("@") if isinstance(name, str) else ("", "", "")
    if not at or alias == "latest" or find_alias(session, model, alias) is not None:
        return False
    compared = _look_up(session, ModelRef, version, path)
    return isinstance(compared, ModelRef) and compared.model == model


def _refuse_itself(spec: JobSpec) -> None:
    for field, mark in marked(type(spec), OtherThan).items():
        version, other = getattr(spec, mark.of), getattr(spec, field)
        if other is not None and other.id == version.id:
            raise Invalid(
                f"{version.model}/{version.version} against itself: expected another version", field=f"spec.{field}"
            )


# --- what the control plane fills -------------------------------------------------------------------------------------


def _filled(session: Session, spec: JobSpec) -> dict[str, Any]:
    """The fields that the control plane fills, of those whose version the spec names."""
    return {
        field: FILLS[type(mark)](session, version, mark, spec)
        for field, mark in marked(type(spec), Filled).items()
        if (version := getattr(spec, mark.of)) is not None
    }


def _graph(session: Session, version: ModelRef, mark: GraphOf, spec: JobSpec) -> GraphRef | None:
    if version.identity.task.ASKED_IN_PYTORCH:
        return find_graph(session, version.id)
    return _served_graph(session, version, mark, spec)


def _served_graph(session: Session, version: ModelRef, mark: Filled, spec: JobSpec) -> GraphRef:
    graph = find_graph(session, version.id)
    if graph is None:
        raise Invalid(
            f"{version.model}/{version.version} has no export yet, and this kind runs on the served graph: "
            f"run an export job of it first",
            field=f"spec.{mark.of}",
        )
    return graph


def _base_graph(session: Session, version: ModelRef, mark: BaseGraphOf, spec: JobSpec) -> ArtifactRef | None:
    return find_base_graph(session, version.identity, getattr(spec, mark.precision))


def _trained_on(session: Session, version: ModelRef, mark: TrainedOn, spec: JobSpec) -> tuple[DatasetRef, ...]:
    return tuple(_to_dataset_ref(row) for row in list_trained_on(session, _row(session, version)))


def _row(session: Session, version: ModelRef) -> ModelVersionRow:
    return session.exec(select(ModelVersionRow).where(ModelVersionRow.id == version.id)).one()


FILLS: Final[Mapping[type[Filled], Callable[[Session, ModelRef, Any, JobSpec], Any]]] = {
    GraphOf: _graph,
    ServedGraphOf: _served_graph,
    BaseGraphOf: _base_graph,
    TrainedOn: _trained_on,
}
"""How a field with such a mark is filled."""
