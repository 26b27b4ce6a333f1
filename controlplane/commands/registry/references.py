"""A spec's names become whole references, so that a worker needs no database."""

import difflib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import Session, col, select

from controlplane.domain.canonical import digest
from controlplane.errors import GraftworkError, Invalid, InvalidDocument
from controlplane.projections.datasets import find_dataset_version
from controlplane.projections.models import find_alias, find_version, list_trained_on
from controlplane.store.tables import (
    AttachmentRow,
    BaseGraphRow,
    DatasetVersionRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from schemas.artifacts import ArtifactRef, DatasetRef, GraphRef, ModelRef
from schemas.jobs import SPECS, JobKind, JobSpec

DATASET_FIELDS: Final[dict[JobKind, tuple[str, ...]]] = {
    "curate": ("parent",),
    "train": ("dataset", "public_dataset"),
    "evaluate": ("dataset",),
    "attack": ("dataset",),
}
OURS_TO_FILL: Final = ("graph", "base_graph", "against_graph", "trained_on")
MOST_NAMES: Final = 2000


def resolve_spec(session: Session, kind: JobKind, raw_spec: Mapping[str, Any]) -> JobSpec:
    """The complete spec of a request.

    Raises Invalid with the field: for what the spec's schema refuses, and for a name that nothing has (with the
    nearest one that something has).
    """
    raw = dict(raw_spec)
    if raw.setdefault("kind", kind) != kind:
        raise Invalid(f"kind {str(raw['kind'])[:40]!r}: this is a {kind!r} job", field="spec.kind")
    for field in OURS_TO_FILL:
        if field in SPECS[kind].model_fields and raw.get(field) is not None:
            raise Invalid(f"{field} is put there by the control plane: leave it out", field=f"spec.{field}")
    for field in DATASET_FIELDS.get(kind, ()):
        if field in raw:
            raw[field] = _dataset(session, raw[field], f"spec.{field}")
    _resolve_models(session, kind, raw)
    try:
        return SPECS[kind].model_validate(raw)
    except ValidationError as error:
        raise InvalidDocument(error, raw, "spec") from error


def to_dataset_ref(row: DatasetVersionRow) -> DatasetRef:
    return DatasetRef(
        id=row.id,
        dataset=row.dataset,
        version=row.version,
        digest=row.digest,
        manifest=ArtifactRef.model_validate(row.manifest),
    )


def to_model_ref(row: ModelVersionRow) -> ModelRef:
    return ModelRef.model_validate(
        {name: getattr(row, name) for name in ModelRef.model_fields if name != "labels"} | {"labels": tuple(row.labels)}
    )


def base_graph_key(base_digest: str, feature_recipe: str, target_modules: tuple[str, ...] | list[str]) -> str:
    """One base graph serves every version with these three."""
    return digest([base_digest, feature_recipe, sorted(target_modules)])


def latest_graph(session: Session, version_id: UUID) -> GraphRef | None:
    """The graph of a version's latest export."""
    row = session.exec(
        select(AttachmentRow)
        .where(AttachmentRow.model_version_id == version_id, AttachmentRow.kind == "export")
        .order_by(col(AttachmentRow.created_at).desc())
    ).first()
    return GraphRef.model_validate(row.data["graph"]) if row else None


def _resolve_models(session: Session, kind: JobKind, raw: dict[str, Any]) -> None:
    if kind == "train" and isinstance(head := raw.get("head"), dict) and "model_version" in head:
        version = _model(session, head["model_version"], "spec.head.model_version")
        raw["head"] = {**head, "model_version": to_model_ref(version) if version else None}
    elif kind == "merge" and isinstance(sources := raw.get("sources"), list | tuple):
        raw["sources"] = [_merge_source(session, source, n) for n, source in enumerate(sources)]
    elif kind in ("export", "evaluate", "attack") and (
        version := _model(session, raw.get("model_version"), "spec.model_version")
    ):
        raw["model_version"] = to_model_ref(version)
        if kind == "export":
            raw.update(_base_graph(session, version))
        else:
            raw.update(_graphs(session, version, raw.get("against")))
            raw["trained_on"] = [to_dataset_ref(row) for row in list_trained_on(session, version)]


def _merge_source(session: Session, source: Any, position: int) -> Any:
    """A source is `{model_version, weight}`, or a name alone."""
    source = {"model_version": source} if isinstance(source, str | UUID) else source
    if not isinstance(source, dict):
        return source
    version = _model(session, source.get("model_version"), f"spec.sources.{position}.model_version")
    return {**source, "model_version": to_model_ref(version)} if version else source


def _base_graph(session: Session, version: ModelVersionRow) -> dict[str, Any]:
    key = base_graph_key(version.base_digest, version.feature_recipe, version.target_modules)
    row = session.get(BaseGraphRow, key)
    return {"base_graph": row.artifact} if row else {}


def _graphs(session: Session, version: ModelVersionRow, against: Any) -> dict[str, Any]:
    graph = _graph(session, version, "spec.model_version")
    if _is_not_set_yet(session, version, against):
        return {"graph": graph, "against": None}
    other = _model(session, against, "spec.against")
    if other is None:
        return {"graph": graph}
    if other.id == version.id:
        raise Invalid(
            f"{version.model}/{version.version} against itself: expected another version", field="spec.against"
        )
    return {"graph": graph, "against": to_model_ref(other), "against_graph": _graph(session, other, "spec.against")}


def _is_not_set_yet(session: Session, version: ModelVersionRow, against: Any) -> bool:
    """An alias of the same model without a version: a pipeline names the champion before its first release."""
    model, at, alias = str(against).partition("@")
    return bool(at) and alias != "latest" and model == version.model and find_alias(session, model, alias) is None


def _graph(session: Session, version: ModelVersionRow, field: str) -> GraphRef:
    graph = latest_graph(session, version.id)
    if graph is None:
        raise Invalid(
            f"{version.model}/{version.version} has no export yet, and this kind runs on the served graph: "
            f"run an export job of it first",
            field=field,
        )
    return graph


def _dataset(session: Session, value: Any, field: str) -> Any:
    name = _name_in(value)
    if name is None:
        return value
    try:
        return to_dataset_ref(find_dataset_version(session, name))
    except GraftworkError as error:
        names = session.exec(select(DatasetVersionRow.dataset).distinct().limit(MOST_NAMES)).all()
        raise Invalid(error.detail + _nearest(name, names), field=field) from error


def _model(session: Session, value: Any, field: str) -> ModelVersionRow | None:
    name = _name_in(value)
    if name is None:
        return None
    try:
        return find_version(session, name)
    except GraftworkError as error:
        names = session.exec(select(RegisteredModelRow.name).limit(MOST_NAMES)).all()
        raise Invalid(error.detail + _nearest(name, names), field=field) from error


def _name_in(value: Any) -> str | None:
    """A name as written; of a whole reference only its id is believed."""
    if isinstance(value, dict):
        value = value.get("id")
    return str(value) if isinstance(value, str | UUID) else None


def _nearest(name: str, names: Any) -> str:
    """What the caller may have meant, in words."""
    word = name.partition("@")[0].partition("/")[0]
    if word in names:
        return ""
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
