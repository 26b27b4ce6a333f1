"""Looks up what gates judge by: the attachments of a version and of the champion."""

from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.domain.gates import Evidence, Learnt
from controlplane.store.tables import AttachmentRow

FIELDS = {"export": "exports", "evaluate": "evaluations", "attack": "attacks"}
"""A job's kind, as its result names it, to the field of `Learnt`."""


def gather(session: Session, candidate: UUID, champion: UUID | None) -> Evidence:
    return Evidence(
        candidate=_learnt(session, candidate), champion=_learnt(session, champion) if champion is not None else None
    )


def _learnt(session: Session, version: UUID) -> Learnt:
    query = select(AttachmentRow).where(AttachmentRow.model_version_id == version)
    found: dict[str, list[dict[str, Any]]] = {field: [] for field in FIELDS.values()}
    for row in session.exec(query.order_by(col(AttachmentRow.created_at).desc(), col(AttachmentRow.digest))):
        if field := FIELDS.get(row.data.get("kind", "")):
            found[field].append({"digest": row.digest, "result": row.data})
    return Learnt.model_validate(found)
