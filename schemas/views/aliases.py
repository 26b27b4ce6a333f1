"""Aliases and their moves as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from schemas.base import Strict, View

REASON = Field(min_length=1, max_length=500)


class AliasRequest(Strict):
    model_version: str = Field(min_length=1, max_length=200)
    """An id, `name/7` or `name@alias`."""
    reason: str = REASON


class Move(View):
    """One move of an alias; `id` is the ETag that it gave the alias."""

    id: UUID
    model: str
    alias: str
    model_version_id: UUID | None
    """None: the alias was removed."""
    version: int | None
    previous: UUID | None
    actor: str
    reason: str
    evidence_digest: str | None
    verified: bool | None
    """None: no deployment followed it; False: no live gateway could prove that the version loads."""
    at: datetime
