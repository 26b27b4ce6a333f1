"""Every deployment in a line: what serves, what is under way, and what waits for a person."""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlmodel import Session, and_, col, or_, select

from controlplane.projections.gateways import is_live, list_boots
from controlplane.projections.holds import in_words, on_deployment, standing_holds
from controlplane.projections.models import name_versions
from controlplane.projections.rollouts import rollout_views
from controlplane.store.serving_tables import DeploymentRow, GenerationRow, HoldRow, RolloutRow
from controlplane.store.unit_of_work import database_time
from schemas.phases import ACTIVE_ROLLOUT_PHASES
from schemas.views.fleet import FleetRollout, FleetRow
from schemas.views.rollouts import RolloutView

UNDER_WAY = ("Queued", *sorted(ACTIVE_ROLLOUT_PHASES))


def list_fleet(session: Session, after: str, limit: int, *, under_way: bool) -> list[DeploymentRow]:
    """By name. `under_way`: those alone where a rollout is, where the queue is frozen, or that somebody holds."""
    name = col(DeploymentRow.name)
    query = select(DeploymentRow).where(name > after)
    if under_way:
        rollouts = select(RolloutRow.deployment).where(col(RolloutRow.phase).in_(UNDER_WAY))
        holds = select(HoldRow.deployment).where(col(HoldRow.released_at).is_(None))
        query = query.where(or_(col(DeploymentRow.frozen), name.in_(rollouts), name.in_(holds)))
    return list(session.exec(query.order_by(name).limit(limit)))


def fleet_rows(session: Session, rows: list[DeploymentRow], silence_seconds: float) -> list[FleetRow]:
    """A handful of statements, however many rows."""
    names = [row.name for row in rows]
    generations = {one.deployment: one for one in _generations(session, rows)}
    versions = name_versions(session, (v for one in generations.values() for v in (one.stable, one.canary)))
    holds = standing_holds(session, names)
    now = database_time(session)
    live = Counter(boot.deployment for boot in list_boots(session, names) if is_live(boot, now, silence_seconds))
    rollouts = rollout_views(session, _rollouts(session, names), silence_seconds)
    return [
        FleetRow(
            **row.model_dump(include={"model", "alias", "generation", "frozen_reason"}),
            deployment=row.name,
            **_serves(generations.get(row.name), versions),
            gateways=live[row.name],
            rollout=_first([one for one in rollouts if one.deployment == row.name]),
            queued=sum(one.deployment == row.name and one.phase == "Queued" for one in rollouts),
            held=[in_words([hold]) for hold in on_deployment(holds, row.name)],
        )
        for row in rows
    ]


def _generations(session: Session, rows: Iterable[DeploymentRow]) -> list[GenerationRow]:
    pairs = [and_(GenerationRow.deployment == row.name, GenerationRow.generation == row.generation) for row in rows]
    return list(session.exec(select(GenerationRow).where(or_(*pairs)))) if pairs else []


def _rollouts(session: Session, deployments: list[str]) -> list[RolloutRow]:
    query = select(RolloutRow).where(col(RolloutRow.deployment).in_(deployments), col(RolloutRow.phase).in_(UNDER_WAY))
    return list(session.exec(query.order_by(col(RolloutRow.created_at), col(RolloutRow.id))))


def _serves(row: GenerationRow | None, versions: dict[UUID, str]) -> dict[str, Any]:
    stable, canary = (row.stable, row.canary) if row else (None, None)
    return {
        "stable_version": versions[stable] if stable else None,
        "canary_version": versions[canary] if canary else None,
        "weight": row.weight if row else 0.0,
    }


def _first(rollouts: list[RolloutView]) -> FleetRollout | None:
    """The active one, else the oldest of the queue."""
    found = next((one for one in rollouts if one.phase in ACTIVE_ROLLOUT_PHASES), rollouts[0] if rollouts else None)
    return FleetRollout(**{name: getattr(found, name) for name in FleetRollout.model_fields}) if found else None
