"""A retried request gets the answer of the first one, and its effect happens once."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select, update

from controlplane.errors import Invalid
from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import IdempotencyRow
from controlplane.store.unit_of_work import UnitOfWork

UNANSWERED = 0
"""The status of a key whose effect is under way: no other transaction ever sees it."""


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


def take_key(uow: UnitOfWork, attempt: Attempt) -> IdempotencyRow | None:
    """Take the key before the effect; the stored answer when it was taken before.

    Of two at once the second waits here until the first has committed. After the effect would be too late: a
    compare-and-swap that the first has won refuses the second, whose caller then hears 412 for what it has done.
    Raises Invalid (422) when the key came with another body.
    """
    taken = IdempotencyRow(
        principal=attempt.principal,
        route=attempt.route,
        key=attempt.key,
        body_digest=attempt.body_digest,
        status=UNANSWERED,
        headers={},
        body="",
        at=uow.now(),
    )
    if insert_once(uow, taken):
        return None
    row = uow.session.exec(select(IdempotencyRow).where(*_of(attempt))).one()
    if row.body_digest != attempt.body_digest:
        raise Invalid("this key was used with another body", field="Idempotency-Key")
    return row


def keep_answer(uow: UnitOfWork, attempt: Attempt, status: int, headers: dict[str, str], body: str) -> None:
    """Store the answer in the transaction of the effect."""
    uow.execute(update(IdempotencyRow).where(*_of(attempt)).values(status=status, headers=headers, body=body))


def _of(attempt: Attempt) -> tuple[Any, ...]:
    return (
        col(IdempotencyRow.principal) == attempt.principal,
        col(IdempotencyRow.route) == attempt.route,
        col(IdempotencyRow.key) == attempt.key,
    )
