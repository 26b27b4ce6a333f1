"""What a version was made of, however far back."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.projections.datasets import list_named
from controlplane.store.tables import DatasetVersionRow, ModelVersionRow
from schemas.views.models import Ancestor, LineageView


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


def lineage_view(session: Session, version: ModelVersionRow) -> LineageView:
    traced = trace_lineage(session, version)
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
