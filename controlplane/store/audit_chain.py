"""Puts notes into the audit log: each entry carries the digest of the one before."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import insert, select
from sqlmodel import Session

from controlplane.domain.audit import GENESIS, entry_digest
from controlplane.domain.canonical import canonical_json
from controlplane.store.audit_tables import AuditEntryRow
from controlplane.store.columns import table_of
from schemas.views.audit import AuditEntry, AuditNote

ENTRIES: Final = table_of(AuditEntryRow)
NEWEST: Final = select(ENTRIES.c.seq, ENTRIES.c.digest).order_by(ENTRIES.c.seq.desc()).limit(1)
INSERT_ENTRY: Final = insert(ENTRIES)


def append_entries(
    session: Session, notes: Sequence[AuditNote], at: datetime, correlationid: str | None
) -> Iterator[AuditEntry]:
    """One entry a note. Only for a transaction that holds the commit lock: nobody else appends meanwhile."""
    connection = session.connection()
    seq, previous = connection.execute(NEWEST).first() or (0, GENESIS)
    for note in notes:
        seq, identity = seq + 1, uuid4()
        entry = AuditEntry(
            **note.model_dump(),
            seq=seq,
            id=identity,
            at=at,
            correlationid=correlationid or str(identity),
            previous=previous,
            digest="",
        )
        entry = entry.model_copy(update={"digest": entry_digest(entry)})
        connection.execute(INSERT_ENTRY, _values(entry))
        previous = entry.digest
        yield entry


def to_entry(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry.model_validate(
        {**row.model_dump(), "request": json.loads(row.request), "changes": json.loads(row.changes)}
    )


def _values(entry: AuditEntry) -> dict[str, Any]:
    documents = entry.model_dump(mode="json", include={"request", "changes"})
    return entry.model_dump() | {name: canonical_json(value).decode() for name, value in documents.items()}
