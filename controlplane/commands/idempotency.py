"""A retried request gets the answer of the first one, and its effect happens once."""

import hashlib
from dataclasses import dataclass

from sqlmodel import select

from controlplane.errors import Invalid
from controlplane.store.tables import IdempotencyRow
from controlplane.store.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Attempt:
    """One request as the idempotency table sees it."""

    principal: str
    route: str
    key: str
    body: bytes

    @property
    def body_digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def find_answer(uow: UnitOfWork, attempt: Attempt) -> IdempotencyRow | None:
    """The stored answer of this key. Raises Invalid (422) when the key came with another body."""
    row = uow.session.exec(
        select(IdempotencyRow).where(
            IdempotencyRow.principal == attempt.principal,
            IdempotencyRow.route == attempt.route,
            IdempotencyRow.key == attempt.key,
        )
    ).first()
    if row is not None and row.body_digest != attempt.body_digest:
        raise Invalid("this key was used with another body", field="Idempotency-Key")
    return row


def keep_answer(uow: UnitOfWork, attempt: Attempt, status: int, headers: dict[str, str], body: str) -> None:
    """Store the answer in the transaction of the effect."""
    uow.session.add(
        IdempotencyRow(
            principal=attempt.principal,
            route=attempt.route,
            key=attempt.key,
            body_digest=attempt.body_digest,
            status=status,
            headers=headers,
            body=body,
            at=uow.now(),
        )
    )
