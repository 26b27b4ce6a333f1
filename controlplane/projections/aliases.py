"""Aliases as they are read: where each points, and every move of it."""

from typing import Final

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from controlplane.store.serving_tables import DeploymentRow
from controlplane.store.tables import AliasHistoryRow, AliasRow, ModelVersionRow

FOLLOWER: Final = select(DeploymentRow.name).where(
    col(DeploymentRow.model) == bindparam("model"), col(DeploymentRow.alias) == bindparam("alias")
)


def find_alias(session: Session, model: str, alias: str) -> tuple[AliasHistoryRow, int] | None:
    """The move that made an alias point where it points, and the version's number; None when it points nowhere."""
    query = (
        select(AliasHistoryRow, ModelVersionRow.version)
        .join(AliasRow, col(AliasRow.history_id) == AliasHistoryRow.id)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasRow.model_version_id)
        .where(AliasRow.model == model, AliasRow.alias == alias)
    )
    return session.exec(query).first()


def list_aliases(session: Session, models: list[str]) -> dict[str, dict[str, int]]:
    """Model to alias to version number."""
    query = (
        select(AliasRow.model, AliasRow.alias, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasRow.model_version_id)
        .where(col(AliasRow.model).in_(models))
        .order_by(col(AliasRow.alias))
    )
    found: dict[str, dict[str, int]] = {model: {} for model in models}
    for model, alias, version in session.exec(query):
        found[model][alias] = version
    return found


def find_follower(session: Session, model: str, alias: str) -> str | None:
    """The name of the deployment that follows an alias: such an alias is bound."""
    return session.exec(FOLLOWER, params={"model": model, "alias": alias}).first()


def list_moves(
    session: Session, model: str, alias: str, below: int | None, limit: int
) -> list[tuple[AliasHistoryRow, int | None]]:
    """Every move of an alias, newest first, with the number of the version that it moved to."""
    query = (
        select(AliasHistoryRow, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == AliasHistoryRow.model_version_id, isouter=True)
        .where(AliasHistoryRow.model == model, AliasHistoryRow.alias == alias)
    )
    if below is not None:
        query = query.where(col(AliasHistoryRow.seq) < below)
    rows = session.exec(query.order_by(col(AliasHistoryRow.seq).desc()).limit(limit))
    return [(history, version) for history, version in rows]
