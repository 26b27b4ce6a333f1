"""What a change has changed: the subject is read before and after it, in its own transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select, bindparam
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, select

from controlplane.commands.spine.tokens import Principal
from controlplane.domain.audit import difference
from controlplane.errors import Invalid, NotFound
from controlplane.projections.holds import standing_holds
from controlplane.projections.identities import identify
from controlplane.projections.models import find_version
from controlplane.store.columns import table_of
from controlplane.store.serving_tables import DeploymentRow, GenerationRow, RolloutRow
from controlplane.store.spine_tables import DeadLetterRow, TokenRow
from controlplane.store.tables import AliasRow, JobRow, PipelineRow, PipelineRunRow, TriggerRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.views.audit import AuditNote, Change

ANY: Final = TypeAdapter(Any)


@dataclass(frozen=True)
class Kind:
    """What is told of a kind of subject: the fields that are listed here, and no others."""

    row: type[SQLModel]
    fields: tuple[str, ...]
    key: Callable[[str], Any] = str
    locked: bool = True
    """Nobody changes it between the look before and the change. False where the command locks something else first."""


def _moves(key: str) -> tuple[str, str]:
    model, _, alias = key.partition("@")
    return model, alias


KINDS: Final[dict[str, Kind]] = {
    "deployment": Kind(
        DeploymentRow, ("model", "alias", "policy", "revision", "generation", "frozen", "frozen_reason")
    ),
    "rollout": Kind(
        RolloutRow,
        (
            *("deployment", "model_version_id", "phase", "paused_for", "step", "weight"),
            *("waived_gates", "verdict", "revision"),
        ),
        UUID,
    ),
    "alias": Kind(AliasRow, ("model_version_id",), _moves),
    "pipeline": Kind(PipelineRow, ("revision", "spec")),
    "run": Kind(PipelineRunRow, ("pipeline", "params", "phase", "cancel_requested"), UUID, locked=False),
    "trigger": Kind(TriggerRow, ("revision", "spec")),
    "job": Kind(JobRow, ("kind", "spec", "max_attempts", "phase", "cancel_requested"), UUID),
    "dead-letter": Kind(DeadLetterRow, ("consumer", "topic", "partition", "offset", "status", "closed_by"), UUID),
    "token": Kind(TokenRow, ("name", "role", "created_by", "revoked_at"), UUID),
}


def in_full(session: Session, subject: str) -> str:
    """A subject whose id was abbreviated or written in another way, by its id as it is kept; any other as it is.

    So it is what one thing alone is called by, in whatever way its entries came about.
    """
    name, _, text = subject.partition("/")
    if (kind := KINDS.get(name)) is None or kind.key is not UUID:
        return subject
    try:
        return f"{name}/{identify(session, kind.row, name, text)}"
    except (Invalid, NotFound):
        return subject


def version_in_full(session: Session, text: str) -> str | None:
    """The id of the model version that is called so now: an alias may have moved on when the entry is read."""
    try:
        return str(find_version(session, text).id)
    except (Invalid, NotFound):
        return None


def look(session: Session, subject: str, *, lock: bool = False) -> dict[str, Any] | None:
    """The subject as it is now; None when there is none. Columns and no objects: what the command reads is not ours."""
    name, _, text = subject.partition("/")
    if (kind := KINDS.get(name)) is None or (key := _key(kind, text)) is None:
        return None
    if lock and name == "rollout":
        _lock_deployment_of(session, key)
    found = _read(session, kind, key, lock=lock and kind.locked)
    if found is not None and name == "deployment":
        found |= {**_served(session, text, found["generation"]), "holds": _holds(session, text, "None")}
    if found is not None and name == "rollout":
        found |= {"holds": _holds(session, found["deployment"], found["model_version_id"])}
    return found


def changed(session: Session, before: Mapping[str, Any] | None, subject: str) -> dict[str, Change]:
    """What is not as it was."""
    return difference(before, look(session, subject))


def note_local(uow: UnitOfWork, action: str, subject: str) -> None:
    """For what a command on the machine itself has made: it has no token, its right is the operating system's."""
    uow.session.flush()
    changes = changed(uow.session, None, subject)
    uow.note(AuditNote(actor=uow.actor, role="local", action=action, subject=subject, outcome="done", changes=changes))


def by(principal: Principal | None) -> dict[str, Any]:
    """The fields of a note that say who."""
    if principal is None:
        return {"actor": "unknown", "role": "none"}
    return {"actor": principal.name, "role": principal.role, "token_id": principal.id}


def _key(kind: Kind, text: str) -> Any:
    try:
        return kind.key(text)
    except ValueError:
        return None


def _read(session: Session, kind: Kind, key: Any, *, lock: bool) -> dict[str, Any] | None:
    query, names = _reading(kind, lock)
    keys = key if isinstance(key, tuple) else (key,)
    session.flush()
    row = session.connection().execute(query, dict(zip(names, keys, strict=True))).first()
    return None if row is None else dict(ANY.dump_python(dict(row._mapping), mode="json"))


@cache
def _reading(kind: Kind, lock: bool) -> tuple[Select[Any], list[str]]:
    """The query, and the names of its parameters: built once, since building it took as long as running it."""
    table = table_of(kind.row)
    names = [column.name for column in table.primary_key.columns]
    query = select_columns(*(table.columns[field] for field in kind.fields))
    query = query.where(*(table.columns[name] == bindparam(name) for name in names))
    # `key_share`: what only refers to it goes on meanwhile
    return query.with_for_update(key_share=True) if lock else query, names


def _served(session: Session, deployment: str, generation: int) -> dict[str, Any]:
    query = select(GenerationRow.stable, GenerationRow.canary, GenerationRow.weight).where(
        GenerationRow.deployment == deployment, GenerationRow.generation == generation
    )
    stable, canary, weight = session.exec(query).first() or (None, None, None)
    return {"stable": str(stable) if stable else None, "canary": str(canary) if canary else None, "weight": weight}


def _holds(session: Session, deployment: str, version: str) -> dict[str, str]:
    holds = standing_holds(session, [deployment])
    return {str(hold.id): hold.actor for hold in holds if str(hold.model_version_id) == version}


def _lock_deployment_of(session: Session, rollout_id: UUID) -> None:
    """Before the rollout, as every command on rollouts does it."""
    deployment = select(RolloutRow.deployment).where(RolloutRow.id == rollout_id).scalar_subquery()
    query = select(DeploymentRow.name).where(col(DeploymentRow.name) == deployment)
    session.exec(query.with_for_update(key_share=True)).first()
