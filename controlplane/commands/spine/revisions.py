"""Revisions: whatever somebody applied to a deployment, a pipeline or a trigger is kept whole, for good."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlmodel import func, select

from controlplane.store.tables import RevisionRow
from controlplane.store.unit_of_work import UnitOfWork

Noun = Literal["deployment", "pipeline", "trigger"]


def keep_revision(
    uow: UnitOfWork, noun: Noun, name: str, spec: Mapping[str, Any] | None, reason: str | None = None
) -> int:
    """The number of the new revision; None as its spec: it was deleted. The caller has locked the thing itself."""
    newest = select(func.max(RevisionRow.revision)).where(RevisionRow.noun == noun, RevisionRow.name == name)
    number = (uow.session.exec(newest).one() or 0) + 1
    document = None if spec is None else dict(spec)
    row = RevisionRow(
        noun=noun, name=name, revision=number, spec=document, reason=reason, actor=uow.actor, at=uow.now()
    )
    uow.session.add(row)
    uow.session.flush()
    return number
