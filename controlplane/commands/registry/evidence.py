"""Looks up what gates judge by: what was learnt of a version and of the champion, and which rows the gates name."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from controlplane.domain.evidence import Evidence, VersionEvidence, split_name
from controlplane.projections.models import list_attachments
from controlplane.store.tables import AttachmentRow, DatasetVersionRow, JobRow, ModelVersionRow
from schemas.artifacts import Digest
from schemas.gates import Gate, NamedRows
from schemas.jobs.results import DatasetResult, VersionResult


def gather(session: Session, gates: Sequence[Gate], candidate: UUID, champion: UUID | None) -> Evidence:
    return Evidence(
        candidate=_learnt(session, candidate),
        champion=_learnt(session, champion) if champion is not None else None,
        splits=_splits(session, gates),
    )


def split_digest(session: Session, dataset: DatasetVersionRow, split: str) -> Digest | None:
    """The digest of one split's rows, as the job that made the version reported it; None: it has no such split."""
    result = session.exec(select(JobRow.result).where(JobRow.id == dataset.job_id)).one()
    return DatasetResult.model_validate(result).split_digests.get(split)


def _learnt(session: Session, version_id: UUID) -> VersionEvidence:
    version = session.exec(select(ModelVersionRow).where(ModelVersionRow.id == version_id)).one()
    recorded = VersionResult.model_validate(version, from_attributes=True)
    found = [_attachment(session, row) for row in list_attachments(session, version_id)]
    return VersionEvidence.model_validate({"version": version_id, "recorded": recorded, "attachments": found})


def _attachment(session: Session, row: AttachmentRow) -> dict[str, Any]:
    return {"digest": row.digest, "result": row.data, **_rows(session, row)}


def _rows(session: Session, row: AttachmentRow) -> dict[str, Any]:
    """Which rows a result is about."""
    if row.dataset_version_id is None:
        return {}
    query = select(DatasetVersionRow).where(DatasetVersionRow.id == row.dataset_version_id)
    dataset = session.exec(query).one()
    rows = split_digest(session, dataset, row.data["conditions"]["split"])
    return {"dataset": f"{dataset.dataset}/{dataset.version}", "rows": rows}


def _splits(session: Session, gates: Sequence[Gate]) -> dict[str, Digest]:
    named = {(split_name(gate), gate.split) for gate in gates if isinstance(gate, NamedRows)}
    found = {name: _named_split(session, name, split) for name, split in sorted(named)}
    return {name: rows for name, rows in found.items() if rows is not None}


def _named_split(session: Session, name: str, split: str) -> Digest | None:
    dataset, _, version = name.partition(" ")[0].partition("/")
    query = select(DatasetVersionRow).where(
        DatasetVersionRow.dataset == dataset, DatasetVersionRow.version == int(version)
    )
    row = session.exec(query).one_or_none()
    return split_digest(session, row, split) if row else None
