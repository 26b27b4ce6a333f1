"""What a finished job made becomes a version, or an attachment of one."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select, update

from controlplane.commands.registry.references import base_graph_key
from controlplane.domain.canonical import digest
from controlplane.store.insert import insert_once
from controlplane.store.tables import (
    AttachmentRow,
    BaseGraphRow,
    DatasetRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.events import AttachmentAdded, DatasetVersionCreated, ModelVersionCreated
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.attack import AttackResult
from schemas.jobs.curate import CurateResult, CurateSpec
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.export import ExportResult
from schemas.jobs.merge import MergeResult, MergeSpec
from schemas.jobs.train import TrainResult, TrainSpec


def register_result(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: JobResult) -> dict[str, str]:
    """Record what the job made and announce it as caused by the job; answers what later stages may read of it."""
    match result:
        case CurateResult():
            assert isinstance(spec, CurateSpec)
            return {"dataset": str(_register_dataset(uow, job, spec, result))}
        case TrainResult() | MergeResult():
            return {"model_version": str(_register_model(uow, job, spec, result))}
        case ExportResult():
            _keep_base_graph(uow, result)
            return _attach(uow, job, "export", result)
        case EvaluateResult():
            return _attach(uow, job, "evaluate", result)
        case AttackResult():
            return _attach(uow, job, "attack", result)


def _register_dataset(uow: UnitOfWork, job: JobRow, spec: CurateSpec, result: CurateResult) -> UUID:
    """The same rows as the latest version are that version: curating again makes nothing new."""
    version = _next_number(uow, DatasetRow, result.dataset)
    latest = uow.session.exec(
        select(DatasetVersionRow)
        .where(DatasetVersionRow.dataset == result.dataset)
        .order_by(col(DatasetVersionRow.version).desc())
    ).first()
    if latest is not None and latest.digest == result.digest:
        _take_back_number(uow, result.dataset)
        return latest.id
    row = DatasetVersionRow(
        dataset=result.dataset,
        version=version,
        digest=result.digest,
        manifest=result.manifest.model_dump(mode="json"),
        rows=result.rows,
        rejected=result.rejected,
        rejects=result.rejects.model_dump(mode="json") if result.rejects else None,
        parent=spec.parent.id if spec.parent else None,
        job_id=job.id,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    fact = DatasetVersionCreated(
        dataset=row.dataset,
        dataset_version_id=row.id,
        version=version,
        digest=row.digest,
        rows=row.rows,
        job_id=job.id,
    )
    uow.record(fact, f"dataset/{row.dataset}", _cause(job))
    return row.id


def _register_model(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: TrainResult | MergeResult) -> UUID:
    parents, datasets = _lineage(spec)
    row = ModelVersionRow(
        model=result.model,
        version=_next_number(uow, RegisteredModelRow, result.model),
        adapter=result.adapter.model_dump(mode="json"),
        base_model=result.base_model,
        base_digest=result.base_digest,
        feature_recipe=result.feature_recipe,
        target_modules=list(result.target_modules),
        head_digest=result.head_digest,
        labels=list(result.labels),
        max_length=result.max_length,
        privacy=result.privacy.model_dump(mode="json") if isinstance(result, TrainResult) and result.privacy else None,
        parents=[str(parent) for parent in parents],
        datasets=[str(dataset) for dataset in datasets],
        job_id=job.id,
        created_at=uow.now(),
        created_by=job.actor,
    )
    uow.session.add(row)
    uow.session.flush()
    fact = ModelVersionCreated(
        model=row.model,
        model_version_id=row.id,
        version=row.version,
        adapter_digest=result.adapter.digest,
        job_id=job.id,
        parents=parents,
    )
    uow.record(fact, f"model/{row.model}", _cause(job))
    return row.id


def _lineage(spec: JobSpec) -> tuple[list[UUID], list[UUID]]:
    """Model versions and dataset versions that a new version is made of; a frozen head is part of another's work."""
    if isinstance(spec, MergeSpec):
        return [source.model_version.id for source in spec.sources], []
    assert isinstance(spec, TrainSpec)
    parents = [spec.head.model_version.id] if spec.head.type == "frozen" else []
    return parents, [ref.id for ref in (spec.dataset, spec.public_dataset) if ref]


def _attach(
    uow: UnitOfWork, job: JobRow, kind: str, result: ExportResult | EvaluateResult | AttackResult
) -> dict[str, str]:
    """Append-only; the same finding twice is one row."""
    data = result.model_dump(mode="json")
    row = AttachmentRow(
        model_version_id=result.model_version,
        kind=kind,
        digest=digest(data),
        data=data,
        dataset_version_id=None if isinstance(result, ExportResult) else result.dataset,
        job_id=job.id,
        created_at=uow.now(),
    )
    if insert_once(uow, row):
        fact = AttachmentAdded(model_version_id=row.model_version_id, kind=kind, digest=row.digest, job_id=job.id)
        uow.record(fact, f"model-version/{row.model_version_id}", _cause(job))
    return {"model_version": str(result.model_version)}


def _keep_base_graph(uow: UnitOfWork, result: ExportResult) -> None:
    """The first export's base graph serves every later version of the same base, recipe and target modules."""
    graph = result.graph
    key = base_graph_key(graph.base_digest, graph.feature_recipe, graph.target_modules)
    insert_once(uow, BaseGraphRow(key=key, artifact=graph.base_graph.model_dump(mode="json"), created_at=uow.now()))


def _next_number(uow: UnitOfWork, registered: type[DatasetRow] | type[RegisteredModelRow], name: str) -> int:
    """The next version number of that name, which is registered if it is new; who counts first commits first."""
    insert_once(uow, registered(name=name, created_at=uow.now(), versions=0))
    statement: Any = (
        update(registered)
        .where(col(registered.name) == name)
        .values(versions=col(registered.versions) + 1)
        .returning(col(registered.versions))
        .execution_options(synchronize_session=False)
    )
    return int(uow.session.execute(statement).scalar_one())


def _take_back_number(uow: UnitOfWork, name: str) -> None:
    uow.execute(
        update(DatasetRow)
        .where(col(DatasetRow.name) == name)
        .values(versions=col(DatasetRow.versions) - 1)
        .execution_options(synchronize_session=False)
    )


def _cause(job: JobRow) -> Cause:
    return Cause(job.correlationid, job.causationid)
