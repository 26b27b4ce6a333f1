"""Tokens as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from schemas.base import Strict, View
from schemas.roles import Role


class TokenRequest(Strict):
    name: str = Field(min_length=1, max_length=100)
    role: Role


class TokenView(View):
    id: UUID
    name: str
    role: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class NewToken(TokenView):
    token: str
    """Shown once."""


class Caller(View):
    """Whose token it was that asked."""

    id: UUID
    name: str
    role: Role
    acts_as: list[Role]
    """Every role whose rights it has, its own among them."""
