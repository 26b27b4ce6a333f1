"""Looks up what gates judge by: what was learnt of a version and of the champion, and which rows the gates name."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.domain.evidence import Evidence, Learnt, split_name
from controlplane.store.tables import AttachmentRow, DatasetVersionRow, JobRow, ModelVersionRow
from schemas.artifacts import Digest
from schemas.jobs.curate import CurateResult
from schemas.rollouts import Gate, MaxAttackSuccess, MinAccuracy

FIELDS: Final = {"export": "exports", "evaluate": "evaluations", "attack": "attacks"}
"""A job's kind, as its result names it, to the field of `Learnt`."""


def gather(session: Session, gates: Sequence[Gate], candidate: UUID, champion: UUID | None) -> Evidence:
    return Evidence(
        candidate=_learnt(session, candidate),
        champion=_learnt(session, champion) if champion is not None else None,
        splits=_splits(session, gates),
    )


def split_digest(session: Session, dataset: DatasetVersionRow, split: str) -> Digest | None:
    """Of the rows of one split, as its curation counted them; None: it has no such split."""
    result = session.exec(select(JobRow.result).where(JobRow.id == dataset.job_id)).one()
    return CurateResult.model_validate(result).split_digests.get(split)


def _learnt(session: Session, version_id: UUID) -> Learnt:
    version = session.exec(select(ModelVersionRow).where(ModelVersionRow.id == version_id)).one()
    query = select(AttachmentRow).where(AttachmentRow.model_version_id == version_id)
    found: dict[str, list[dict[str, Any]]] = {field: [] for field in FIELDS.values()}
    for row in session.exec(query.order_by(col(AttachmentRow.created_at), col(AttachmentRow.digest))):
        if field := FIELDS.get(row.data.get("kind", "")):
            found[field].append({"digest": row.digest, "result": row.data, **_rows(session, row)})
    return Learnt.model_validate({"version": version_id, "labels": version.labels, **found})


def _rows(session: Session, row: AttachmentRow) -> dict[str, Any]:
    """Which rows a result is about."""
    if row.dataset_version_id is None:
        return {}
    query = select(DatasetVersionRow).where(DatasetVersionRow.id == row.dataset_version_id)
    dataset = session.exec(query).one()
    rows = split_digest(session, dataset, row.data["split"])
    return {"dataset": f"{dataset.dataset}/{dataset.version}", "rows": rows}


def _splits(session: Session, gates: Sequence[Gate]) -> dict[str, Digest]:
    named = {(split_name(gate), gate.split) for gate in gates if isinstance(gate, MinAccuracy | MaxAttackSuccess)}
    found = {name: _named_split(session, name, split) for name, split in sorted(named)}
    return {name: rows for name, rows in found.items() if rows is not None}


def _named_split(session: Session, name: str, split: str) -> Digest | None:
    dataset, _, version = name.partition(" ")[0].partition("/")
    query = select(DatasetVersionRow).where(
        DatasetVersionRow.dataset == dataset, DatasetVersionRow.version == int(version)
    )
    row = session.exec(query).one_or_none()
    return split_digest(session, row, split) if row else None
