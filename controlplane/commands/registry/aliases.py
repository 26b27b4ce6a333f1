"""Aliases move by compare-and-swap, and every move is a row of their history."""

from datetime import datetime
from enum import Enum
from typing import Final, TypedDict, Unpack
from uuid import UUID, uuid4

from sqlalchemy import bindparam, insert
from sqlmodel import col, delete, select, update

from controlplane.domain.alias import check_alias_name, etag
from controlplane.errors import Conflict, Invalid, PreconditionFailed
from controlplane.projections.aliases import find_alias, find_follower
from controlplane.projections.models import find_model, find_version
from controlplane.store.columns import Clock, table_of
from controlplane.store.insert import insert_once
from controlplane.store.tables import AliasHistoryRow, AliasRow, ModelVersionRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.facts import AliasMoved

CURRENT: Final = (
    select(AliasRow.history_id, AliasRow.model_version_id, Clock())
    .where(col(AliasRow.model) == bindparam("model"), col(AliasRow.alias) == bindparam("alias"))
    .with_for_update()
)

ALIASES: Final = table_of(AliasRow)
INSERT_MOVE: Final = insert(table_of(AliasHistoryRow))


class Anything(Enum):
    ANY = "any"


ANY: Final = Anything.ANY
"""Expected by a command that holds the alias's deployment already: whatever it points to."""


class AliasIsBound(Conflict):
    """A deployment follows this alias, so it moves with a rollout only"""

    slug = "alias-is-bound"


class _Optional(TypedDict, total=False):
    evidence: str | None
    """Digest of what the move was decided by."""
    verified: bool | None
    """None: no deployment follows the alias; False: no live gateway could prove that the version loads."""


class Why(_Optional):
    expected: UUID | Anything | None
    """Id of the move that must be the current one; None: the alias must not be set."""
    reason: str


def move_alias(uow: UnitOfWork, model: str, alias: str, version_id: UUID | None, **why: Unpack[Why]) -> AliasHistoryRow:
    """Point an alias, bound or not, at a version or (None) at nothing.

    Raises PreconditionFailed, naming the current move, when somebody else moved it first.
    """
    move, previous, at = _current(uow, model, alias) or (None, None, uow.now())
    expected = move if why["expected"] is ANY else why["expected"]
    row = AliasHistoryRow(
        id=uuid4(),
        model=model,
        alias=alias,
        model_version_id=version_id,
        previous=previous,
        actor=uow.actor,
        reason=why["reason"],
        evidence_digest=why.get("evidence"),
        verified=why.get("verified"),
        at=at,
    )
    if not _swap(uow, row, expected):
        raise PreconditionFailed(_said(uow, model, alias, expected), field="If-Match")
    uow.session.connection().execute(INSERT_MOVE, row.model_dump(exclude={"seq"}))
    uow.record(
        AliasMoved(
            model=model,
            alias=alias,
            model_version_id=version_id,
            previous=previous,
            history_id=row.id,
            actor=row.actor,
            reason=row.reason,
        ),
        f"model/{model}",
    )
    return row


def set_alias(
    uow: UnitOfWork, model: str, alias: str, reference: str | None, *, expected: UUID | None, reason: str
) -> tuple[AliasHistoryRow, int | None]:
    """Move an alias that no deployment follows, for a person. `reference` None removes it.

    Answers the move, and the number of the version that the alias points to now.
    """
    check_alias_name(alias)
    version = None if reference is None else _version_of(uow, model, reference)
    if version is None:
        find_model(uow.session, model)
    row = move_alias(uow, model, alias, version.id if version else None, expected=expected, reason=reason)
    # Asked after the move: from here on the alias's row is locked.
    if follower := find_follower(uow.session, model, alias):
        raise AliasIsBound(
            f"deployment {follower!r} follows {model}@{alias}: run "
            f"`graftwork rollout start {follower} {model}/VERSION`, "
            f"or `graftwork deployment rollback {follower}`",
            field="alias",
        )
    return row, version.version if version else None


def _version_of(uow: UnitOfWork, model: str, reference: str) -> ModelVersionRow:
    version = find_version(uow.session, reference)
    if version.model != model:
        find_model(uow.session, model)
        raise Invalid(
            f"{reference!r} is a version of {version.model!r}, expected one of {model!r}", field="model_version"
        )
    return version


def _current(uow: UnitOfWork, model: str, alias: str) -> tuple[UUID, UUID | None, datetime] | None:
    """(id of the last move, version, now), locked until the transaction ends."""
    return uow.session.exec(CURRENT, params={"model": model, "alias": alias}).first()


def _swap(uow: UnitOfWork, row: AliasHistoryRow, expected: UUID | None) -> bool:
    if expected is None:
        pointer = AliasRow(model=row.model, alias=row.alias, model_version_id=row.model_version_id, history_id=row.id)
        return row.model_version_id is not None and insert_once(uow, pointer)
    here = (col(AliasRow.model) == row.model, col(AliasRow.alias) == row.alias, col(AliasRow.history_id) == expected)
    if row.model_version_id is None:
        return uow.execute(delete(AliasRow).where(*here)) == 1
    moved = update(ALIASES).where(*here).values(model_version_id=row.model_version_id, history_id=row.id)
    return uow.execute(moved) == 1


def _said(uow: UnitOfWork, model: str, alias: str, expected: UUID | None) -> str:
    wanted = "that it is not set" if expected is None else f"the move {etag(expected)}"
    found = find_alias(uow.session, model, alias)
    if found is None:
        return f"{model}@{alias}: you expected {wanted}, but it is not set now; send `If-None-Match: *` to set it"
    move, version = found
    return (
        f"{model}@{alias}: you expected {wanted}, but the current move is {etag(move.id)}, "
        f"to version {version} by {move.actor}"
    )
