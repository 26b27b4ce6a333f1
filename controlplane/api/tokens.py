"""Tokens over HTTP: for admins only, but that each may ask whose it is."""

from fastapi import APIRouter, Response

from controlplane.api.identities import TokenId
from controlplane.api.request_context import Admin, Anyone
from controlplane.commands.spine import tokens
from controlplane.domain.roles import INCLUDES
from controlplane.projections.tokens import list_tokens, token_view
from controlplane.store.unit_of_work import UnitOfWork
from schemas.problem import refusals
from schemas.views.tokens import Caller, NewToken, TokenRequest, TokenView

router = APIRouter(tags=["tokens"])


@router.post("/v1/tokens", status_code=201, response_model=NewToken)
def post_token(body: TokenRequest, call: Admin) -> Response:
    def effect(uow: UnitOfWork) -> NewToken:
        row, plain = tokens.create_token(uow, body.name, body.role)
        return NewToken(**token_view(row).model_dump(), token=plain)

    return call.write(effect, status=201, secret=True)


@router.get("/v1/tokens")
def get_tokens(call: Admin) -> list[TokenView]:
    with call.read() as session:
        return [token_view(row) for row in list_tokens(session)]


@router.get("/v1/caller")
def get_caller(call: Anyone) -> Caller:
    """Who asks, by the token, and as what it may act: any role."""
    who = call.principal
    return Caller(id=who.id, name=who.name, role=who.role, acts_as=sorted(INCLUDES[who.role]))


@router.delete("/v1/tokens/{token_id}", status_code=204, responses=refusals(404))
def delete_token(call: Admin, token_id: TokenId) -> Response:
    return call.write(lambda uow: tokens.revoke_token(uow, token_id))
