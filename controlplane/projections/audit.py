"""The audit log as it is read: filtered, page by page, in either direction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.store.audit_tables import AuditEntryRow


@dataclass(frozen=True)
class AuditFilter:
    actor: str | None = None
    action: str | None = None
    """`rollout.promote`, or the noun alone: `rollout`."""
    subject: str | None = None
    """`deployment/reviews`, or the noun alone."""
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_entries(
    session: Session, wanted: AuditFilter, beyond: int | None, limit: int, *, oldest_first: bool
) -> list[AuditEntryRow]:
    """A page behind the entry `beyond`."""
    seq = col(AuditEntryRow.seq)
    query = select(AuditEntryRow).where(*_conditions(wanted))
    if beyond is not None:
        query = query.where(seq > beyond if oldest_first else seq < beyond)
    return list(session.exec(query.order_by(seq if oldest_first else seq.desc()).limit(limit)))


def find_entry(session: Session, identity: UUID | int) -> AuditEntryRow:
    is_it = AuditEntryRow.id == identity if isinstance(identity, UUID) else AuditEntryRow.seq == identity
    if (row := session.exec(select(AuditEntryRow).where(is_it)).first()) is None:
        raise NotFound(f"there is no audit entry {identity}")
    return row


def _conditions(wanted: AuditFilter) -> list[Any]:
    found: list[Any] = []
    if wanted.actor is not None:
        found.append(AuditEntryRow.actor == wanted.actor)
    if wanted.outcome is not None:
        found.append(AuditEntryRow.outcome == wanted.outcome)
    for column, value, separator in (
        (col(AuditEntryRow.action), wanted.action, "."),
        (col(AuditEntryRow.subject), wanted.subject, "/"),
    ):
        if value is not None:
            found.append((column == value) | column.startswith(value + separator, autoescape=True))
    if wanted.since is not None:
        found.append(col(AuditEntryRow.at) >= wanted.since)
    if wanted.until is not None:
        found.append(col(AuditEntryRow.at) < wanted.until)
    return found
