"""The audit log, and what the event log tells of it."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from controlplane.client.connection import ApiError
from controlplane.client.events import Events
from schemas.facts import AuditRecorded
from schemas.views.audit import AuditEntry


class Audit(Events):
    def list_audit_entries(self, **filters: Any) -> Iterator[AuditEntry]:
        """Newest first; filters: actor, action, subject, outcome, since, until, and `order="oldest"`."""
        return self._api.pages(AuditEntry, "/v1/audit", filters)

    def get_audit_entry(self, entry: UUID | int | str) -> AuditEntry:
        """By its id or its seq."""
        return self._api.get(AuditEntry, f"/v1/audit/{entry}")

    def told_audit_digests(self) -> dict[int, str]:
        """What the event log still tells of the audit log: the digest of each entry by its seq."""
        told: dict[int, str] = {}
        after: int | None = self._oldest_fact()
        while after is not None:
            page = self.read_events(after, types=[AuditRecorded.TYPE])
            facts = [AuditRecorded.model_validate(item.data) for item in page.items]
            told |= {fact.seq: fact.digest for fact in facts}
            after = page.last if page.items else None
        return told

    def _oldest_fact(self) -> int:
        try:
            self.read_events(0, types=[AuditRecorded.TYPE])
        except ApiError as error:
            if error.code != 410 or (oldest := re.search(r"up to seq (\d+)", error.detail)) is None:
                raise
            return int(oldest[1])
        return 0
