"""Rows, no behaviour: who did or was refused what."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from controlplane.store.columns import big, moment
from controlplane.store.columns import text as text_column


class AuditEntryRow(SQLModel, table=True):
    """One entry of the audit log, written once. `seq` has no gap: it is given under the commit lock."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_actor", "actor", "seq"), Index("ix_audit_entry_subject", "subject", "seq"))
    seq: int = big(primary_key=True)
    id: UUID = Field(unique=True)
    at: datetime = moment(index=True)
    actor: str
    role: str
    token_id: UUID | None = None
    address: str | None = None
    action: str = Field(index=True)
    subject: str
    outcome: str  # done, refused
    status: int
    reason: str | None = text_column(nullable=True)
    detail: str | None = text_column(nullable=True)
    request: str = text_column()  # JSON as it was digested: JSONB writes some numbers in another way
    changes: str = text_column()
    suppressed: int = 0
    request_id: str | None = None
    correlationid: str = Field(index=True)
    previous: str
    digest: str
