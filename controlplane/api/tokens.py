"""Tokens over HTTP: for admins only."""

from fastapi import APIRouter, Response

from controlplane.api.identities import TokenId
from controlplane.api.request_context import Admin
from controlplane.commands.spine import tokens
from controlplane.projections.tokens import list_tokens, token_view
from controlplane.store.unit_of_work import UnitOfWork
from schemas.problem import refusals
from schemas.views.tokens import NewToken, TokenRequest, TokenView

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


@router.delete("/v1/tokens/{token_id}", status_code=204, responses=refusals(404))
def delete_token(call: Admin, token_id: TokenId) -> Response:
    return call.write(lambda uow: tokens.revoke_token(uow, token_id))
