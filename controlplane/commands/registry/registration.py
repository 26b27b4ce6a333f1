"""What a finished job made becomes a version, or an attachment of one: by the class of its result, not by its kind."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select, update

from controlplane.commands.registry.base_graphs import keep_base_graph
from controlplane.domain.canonical import digest
from controlplane.store.insert import insert_once
from controlplane.store.tables import (
    AttachmentRow,
    DatasetRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.artifacts import DatasetRef, Reference
from schemas.evidence import Finding, FindingOnRows
from schemas.facts import AttachmentAdded, DatasetVersionCreated, ModelVersionCreated
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.references import references
from schemas.jobs.results import DatasetResult, GraphResult, VersionResult
from schemas.model.references import ModelRef


def register_result(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: JobResult) -> dict[str, str]:
    """Record what the job made and announce it as caused by the job; answers what later stages may read of it."""
    return {result.OUTPUT.NAME: str(_register(uow, job, spec, result))}


def _register(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: JobResult) -> UUID:
    match result:
        case DatasetResult():
            return _register_dataset(uow, job, spec, result)
        case VersionResult():
            return _register_model(uow, job, spec, result)
        case Finding():
            return _attach(uow, job, result)


def _named(spec: JobSpec, kind: type[Reference]) -> list[UUID]:
    """The versions that a spec refers to: what is made by it is made of these."""
    return [reference.id for reference in references(spec) if isinstance(reference, kind)]


def _register_dataset(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: DatasetResult) -> UUID:
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
        row_schema=result.row_schema,
        digest=result.digest,
        manifest=result.manifest.model_dump(mode="json"),
        rows=result.rows,
        rejected=result.rejected,
        rejects=result.rejects.model_dump(mode="json") if result.rejects else None,
        parent=next(iter(_named(spec, DatasetRef)), None),
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


def _register_model(uow: UnitOfWork, job: JobRow, spec: JobSpec, result: VersionResult) -> UUID:
    parents = _named(spec, ModelRef)
    row = ModelVersionRow(
        model=result.model,
        version=_next_number(uow, RegisteredModelRow, result.model),
        adapter=result.adapter.model_dump(mode="json"),
        identity=result.identity.model_dump(mode="json"),
        privacy=result.privacy.model_dump(mode="json") if result.privacy else None,
        parents=[str(parent) for parent in parents],
        datasets=[str(dataset) for dataset in _named(spec, DatasetRef)],
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


def _attach(uow: UnitOfWork, job: JobRow, result: Finding) -> UUID:
    """Append-only; the same finding twice is one row."""
    if isinstance(result, GraphResult):
        keep_base_graph(uow, result.graph)
    data = result.model_dump(mode="json")
    row = AttachmentRow(
        model_version_id=result.model_version,
        kind=job.kind,
        digest=digest(data),
        data=data,
        dataset_version_id=result.conditions.dataset if isinstance(result, FindingOnRows) else None,
        job_id=job.id,
        created_at=uow.now(),
    )
    if insert_once(uow, row):
        fact = AttachmentAdded(model_version_id=row.model_version_id, kind=row.kind, digest=row.digest, job_id=job.id)
        uow.record(fact, f"model-version/{row.model_version_id}", _cause(job))
    return row.model_version_id


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
