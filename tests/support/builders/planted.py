"""Rows in the database as jobs would have left them, without a job that ran."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from controlplane.domain.canonical import digest as canonical_digest
from controlplane.store.insert import insert_once
from controlplane.store.tables import (
    AttachmentRow,
    DatasetRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from controlplane.store.unit_of_work import UnitOfWork
from schemas.jobs.attack import AttackResult
from schemas.jobs.curate import CurateResult
from schemas.jobs.evaluate import EvaluateResult
from schemas.jobs.export import ExportResult
from tests.support.builders.artifacts import artifact
from tests.support.builders.models import MODEL
from tests.support.builders.results import trained

WHO = "test"


def job_row(created_at: datetime, kind: str = "train", **changes: Any) -> JobRow:
    fields: dict[str, Any] = {"spec": {}, "refused_by": [], "actor": WHO, "correlationid": WHO}
    return JobRow(kind=kind, created_at=created_at, **fields | changes)


def plant_job(uow: UnitOfWork, kind: str = "train", **changes: Any) -> JobRow:
    job = job_row(uow.now(), kind, **changes)
    uow.session.add(job)
    uow.session.flush()
    return job


def model_row(created_at: datetime, name: str = MODEL, versions: int = 0) -> RegisteredModelRow:
    return RegisteredModelRow(name=name, created_at=created_at, versions=versions)


def plant_model(uow: UnitOfWork, name: str = MODEL, versions: int = 0) -> None:
    """A registered model, unless it is there."""
    if uow.session.get(RegisteredModelRow, name) is None:
        uow.session.add(model_row(uow.now(), name, versions))
        uow.session.flush()


def plant_version(uow: UnitOfWork, job: JobRow, number: int, **changes: Any) -> ModelVersionRow:
    """A version of a model that is there, as that job made it."""
    version_id = uuid4()
    made = trained(adapter=artifact(f"adapter {version_id}")).model_dump(mode="json")
    fields: dict[str, Any] = {
        "id": version_id,
        "version": number,
        "parents": [],
        "datasets": [],
        "job_id": job.id,
        "created_at": uow.now(),
        "created_by": WHO,
    }
    known = {field: value for field, value in made.items() if field in ModelVersionRow.model_fields}
    row = ModelVersionRow(**known | fields | changes)
    uow.session.add(row)
    uow.session.flush()
    return row


def plant_dataset(uow: UnitOfWork, dataset_id: UUID, version: int, made: CurateResult) -> DatasetVersionRow:
    """The dataset version that a curation made."""
    insert_once(uow, DatasetRow(name=made.dataset, created_at=uow.now(), versions=version))
    job = plant_job(uow, "curate", result=made.model_dump(mode="json"), phase="Succeeded")
    row = DatasetVersionRow(
        id=dataset_id,
        dataset=made.dataset,
        version=version,
        row_schema=made.row_schema,
        digest=made.digest,
        manifest=made.manifest.model_dump(mode="json"),
        rows=made.rows,
        rejected=made.rejected,
        job_id=job.id,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    return row


def plant_attachment(
    uow: UnitOfWork, result: ExportResult | EvaluateResult | AttackResult, job_id: UUID, at: datetime | None = None
) -> None:
    """What a job learnt about a version, at that moment or now."""
    data = result.model_dump(mode="json")
    row = AttachmentRow(
        model_version_id=result.model_version,
        kind=result.kind,
        digest=canonical_digest(data),
        data=data,
        dataset_version_id=None if isinstance(result, ExportResult) else result.conditions.dataset,
        job_id=job_id,
        created_at=at or uow.now(),
    )
    uow.session.add(row)
