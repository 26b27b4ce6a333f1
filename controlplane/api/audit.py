"""The audit log over HTTP: auditors and admins read it, nobody writes it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.request_context import Auditor
from controlplane.projections.audit import AuditFilter, find_entry, list_entries
from controlplane.store.audit_chain import to_entry
from schemas.base import Moment
from schemas.problem import refusals
from schemas.views.audit import AuditEntry, Outcome
from schemas.views.pages import Page

router = APIRouter(tags=["audit"])
Word = Annotated[str | None, Query(min_length=1, max_length=300)]


def _wanted(
    actor: Word = None,
    action: Word = None,
    subject: Word = None,
    outcome: Outcome | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> AuditFilter:
    return AuditFilter(actor, action, subject, outcome, since, until)


@router.get("/v1/audit")
def get_audit(
    call: Auditor,
    wanted: Annotated[AuditFilter, Depends(_wanted)],
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """What persons and tokens changed and were refused. `action` and `subject` take a noun alone, too: `rollout`."""
    beyond = decode_cursor(cursor, int)
    with call.read() as session:
        rows = list_entries(
            session, wanted, int(beyond[0]) if beyond else None, limit + 1, oldest_first=order == "oldest"
        )
    items = [to_entry(row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].seq) if len(rows) > limit else None)


@router.get("/v1/audit/{entry}", responses=refusals(404))
def get_entry(entry: Annotated[UUID | int, Path()], call: Auditor) -> AuditEntry:
    """One entry, by its id or its seq."""
    with call.read() as session:
        return to_entry(find_entry(session, entry))
