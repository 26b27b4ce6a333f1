"""The audit log as the API shows it: who did or tried what, when, and why."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, JsonValue

Outcome = Literal["done", "refused"]


class Change(BaseModel):
    """One field, before and after."""

    before: JsonValue = None
    after: JsonValue = None


class AuditNote(BaseModel):
    """What happened, as whoever let it happen or refused it tells it."""

    actor: str
    """The token's name; `unknown` without a good token."""
    role: str
    """The token's role; `local` for a command on the machine itself, `none` without a good token."""
    token_id: UUID | None = None
    address: str | None = None
    """Where the request came from."""
    action: str
    """As `deployment.apply`: a noun and a verb."""
    subject: str
    """As `deployment/reviews` or, by its whole id, `rollout/…`. Of a thing that was never made: what it would have been
    made of, or the noun alone."""
    outcome: Outcome
    status: int = 0
    """What was answered over HTTP; 0 where it was no request."""
    reason: str | None = None
    """What whoever asked gave as the reason."""
    detail: str | None = None
    """Why it was refused."""
    request: dict[str, JsonValue] = {}
    """What was asked for, in short."""
    changes: dict[str, Change] = {}
    """By field, as `policy.canary.harm_alpha`."""
    suppressed: int = 0
    """So many refusals of the same kind came before this one and have no entry of their own."""
    request_id: str | None = None


class AuditEntry(AuditNote):
    """A note in its place: `digest` is of everything else here, `previous` included, so no entry can be changed,
    taken out or put in between without all later digests."""

    seq: int
    id: UUID
    at: datetime
    correlationid: str
    """The journey of the facts that came with it."""
    previous: str
    """The digest of the entry before; of the first one: 64 zeros."""
    digest: str
