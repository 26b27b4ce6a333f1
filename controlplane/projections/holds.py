"""What stands in the way of a rollout: holds on it, and on the whole of its deployment."""

from collections.abc import Iterable

from sqlmodel import Session, and_, col, or_, select

from controlplane.store.serving_tables import HoldRow, RolloutRow
from schemas.views.holds import HoldView


def standing_holds(session: Session, deployments: Iterable[str]) -> list[HoldRow]:
    """Nobody has released them: on these deployments, and on rollouts of theirs; oldest first."""
    query = select(HoldRow).where(col(HoldRow.deployment).in_(set(deployments)), col(HoldRow.released_at).is_(None))
    return list(session.exec(query.order_by(col(HoldRow.at), col(HoldRow.id))))


def on_rollout(holds: Iterable[HoldRow], row: RolloutRow) -> list[HoldRow]:
    """Those on its version, whichever rollout of it they were placed on, and those on its whole deployment."""
    of_it = (None, row.model_version_id)
    return [hold for hold in holds if hold.deployment == row.deployment and hold.model_version_id in of_it]


def on_deployment(holds: Iterable[HoldRow], name: str) -> list[HoldRow]:
    """Those on the whole of it."""
    return [hold for hold in holds if hold.deployment == name and hold.model_version_id is None]


def released_holds(session: Session, row: RolloutRow) -> list[HoldRow]:
    """On its version, and on its whole deployment since the rollout was asked for."""
    since = and_(col(HoldRow.model_version_id).is_(None), col(HoldRow.released_at) >= row.created_at)
    query = select(HoldRow).where(
        HoldRow.deployment == row.deployment,
        col(HoldRow.released_at).is_not(None),
        or_(col(HoldRow.model_version_id) == row.model_version_id, since),
    )
    return list(session.exec(query))


def hold_views(holds: Iterable[HoldRow]) -> list[HoldView]:
    return [HoldView.model_validate(hold, from_attributes=True) for hold in holds]


def in_words(holds: Iterable[HoldRow]) -> str:
    """As `held by ann: a doubtful dataset`."""
    told = (f"{hold.actor}{'' if hold.rollout_id else ' (the whole deployment)'}: {hold.reason}" for hold in holds)
    return f"held by {'; and by '.join(told)}"
