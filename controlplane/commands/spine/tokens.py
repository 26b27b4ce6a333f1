"""Bearer tokens: minted once, stored hashed, revoked for good."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, update

from controlplane.errors import NotFound, Unauthorized
from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import TokenRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.roles import Role


@dataclass(frozen=True)
class Principal:
    """Who is asking."""

    id: UUID
    name: str
    role: Role


def hash_token(token: str) -> str:
    """SHA-256 suffices: tokens are 256 random bits, not passwords."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    return f"gw_{secrets.token_urlsafe(32)}"


def create_token(uow: UnitOfWork, name: str, role: Role) -> tuple[TokenRow, str]:
    """Mint a token; the plain text is answered here and never again."""
    plain = new_token()
    row = TokenRow(name=name, role=role, hash=hash_token(plain), created_at=uow.now(), created_by=uow.actor)
    uow.session.add(row)
    return row, plain


def bootstrap_admin(uow: UnitOfWork, token: str | None) -> tuple[TokenRow, str] | None:
    """Mint the first admin token; None when there has been one.

    A unique row guards it: of two processes at once the second waits for the first, and is told None.
    """
    plain = token or new_token()
    row = TokenRow(
        name="admin",
        role="admin",
        hash=hash_token(plain),
        bootstrap=True,
        created_at=uow.now(),
        created_by=uow.actor,
    )
    return (row, plain) if insert_once(uow, row) else None


# Every request asks this: columns, not a row object, and a statement that is built once.
HOLDER = select(TokenRow.id, TokenRow.name, TokenRow.role).where(
    col(TokenRow.hash) == bindparam("hash"), col(TokenRow.revoked_at).is_(None)
)


def authenticate(session: Session, token: str) -> Principal:
    """Who holds this token. Looked up by hash, so no comparison leaks how much of it was right."""
    found = session.exec(HOLDER, params={"hash": hash_token(token)}).first()
    if found is None:
        raise Unauthorized("the bearer token is not known, or was revoked")
    identity, name, role = found
    return Principal(identity, name, cast(Role, role))


def revoke_token(uow: UnitOfWork, token_id: UUID) -> None:
    """From this transaction on it opens nothing."""
    touched = uow.execute(
        update(TokenRow)
        .where(col(TokenRow.id) == token_id, col(TokenRow.revoked_at).is_(None))
        .values(revoked_at=uow.now())
    )
    if not touched:
        raise NotFound(f"no token {token_id} that is still valid")
