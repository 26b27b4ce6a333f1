"""The history of a deployment, a pipeline or a trigger: its revisions, each with what it changed."""

from sqlmodel import Session, col, select

from controlplane.domain.audit import difference
from controlplane.errors import NotFound
from controlplane.projections.names import hint
from controlplane.store.tables import RevisionRow
from schemas.views.revisions import RevisionView


def history(session: Session, noun: str, name: str, below: int | None, limit: int) -> list[RevisionView]:
    """Newest first. Raises NotFound for what never was."""
    query = select(RevisionRow).where(RevisionRow.noun == noun, RevisionRow.name == name)
    if below is not None:
        query = query.where(col(RevisionRow.revision) < below)
    rows = list(session.exec(query.order_by(col(RevisionRow.revision).desc()).limit(limit + 1)))
    if not rows and below is None:
        near = hint(session, name, RevisionRow.name, RevisionRow.noun == noun)
        raise NotFound(f"there is no {noun} {name!r}, and never was", hint=near)
    return [_view(row, before) for row, before in zip(rows, [*rows[1:], None], strict=True)][:limit]


def _view(row: RevisionRow, before: RevisionRow | None) -> RevisionView:
    changes = difference(before.spec if before else None, row.spec)
    return RevisionView(**row.model_dump(exclude={"noun", "name"}), changes=changes)
