"""Tokens as they are read: never their secret."""

from sqlmodel import Session, col, select

from controlplane.store.spine_tables import TokenRow
from schemas.views.tokens import TokenView


def list_tokens(session: Session) -> list[TokenRow]:
    return list(session.exec(select(TokenRow).order_by(col(TokenRow.created_at))))


def token_view(row: TokenRow) -> TokenView:
    return TokenView.model_validate(row, from_attributes=True)
