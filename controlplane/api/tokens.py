"""Tokens over HTTP: for admins only."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from controlplane.api.call import Admin
from controlplane.commands import tokens
from controlplane.domain.roles import Role
from controlplane.store.tables import TokenRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.base import Strict

router = APIRouter(tags=["tokens"])


class TokenRequest(Strict):
    name: str = Field(min_length=1, max_length=100)
    role: Role


class TokenView(BaseModel):
    id: UUID
    name: str
    role: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class NewToken(TokenView):
    token: str
    """Shown once."""


def view(row: TokenRow) -> TokenView:
    return TokenView.model_validate(row, from_attributes=True)


@router.post("/v1/tokens", status_code=201, response_model=NewToken)
def post_token(body: TokenRequest, call: Admin) -> Response:
    def effect(uow: UnitOfWork) -> NewToken:
        row, plain = tokens.create_token(uow, body.name, body.role)
        return NewToken(**view(row).model_dump(), token=plain)

    return call.write(effect, status=201, secret=True)


@router.get("/v1/tokens")
def get_tokens(call: Admin) -> list[TokenView]:
    with call.read() as session:
        return [view(row) for row in tokens.list_tokens(session)]


@router.delete("/v1/tokens/{token_id}", status_code=204)
def delete_token(token_id: UUID, call: Admin) -> Response:
    return call.write(lambda uow: tokens.revoke_token(uow, token_id))
