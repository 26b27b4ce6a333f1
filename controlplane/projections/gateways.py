"""Gateways as they are read: their boots, and which of them are live."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from controlplane.store.serving_tables import GatewayBootRow


def list_boots(session: Session, deployments: Collection[str]) -> list[GatewayBootRow]:
    """The last boot of each gateway of these deployments."""
    query = select(GatewayBootRow).where(
        col(GatewayBootRow.deployment).in_(deployments), col(GatewayBootRow.replaced).is_(False)
    )
    return list(session.exec(query.order_by(col(GatewayBootRow.gateway))))


def is_live(boot: GatewayBootRow, now: datetime, silence_seconds: float) -> bool:
    """It reported, or began, less than the silence ago."""
    return now - (boot.reported_at or boot.registered_at) < timedelta(seconds=silence_seconds)
