"""Rollouts as they are read: lists, and the evidence as it stands in words."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, and_, col, func, or_, select

from controlplane.domain.analysis.explain import explain
from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.verdict import assess
from controlplane.projections.holds import hold_views, in_words, on_rollout, standing_holds
from controlplane.projections.models import name_versions
from controlplane.projections.waits import waits_of
from controlplane.store.serving_tables import GatewayBootRow, HoldRow, RolloutRow
from schemas.phases import FINAL_ROLLOUT_PHASES
from schemas.rollouts import RolloutPolicy
from schemas.views.rollouts import RolloutView


def list_rollouts(
    session: Session,
    deployment: str | None,
    phase: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[RolloutRow]:
    """Newest first."""
    at, identity = col(RolloutRow.created_at), col(RolloutRow.id)
    query = select(RolloutRow)
    if deployment is not None:
        query = query.where(RolloutRow.deployment == deployment)
    if phase is not None:
        query = query.where(RolloutRow.phase == phase)
    if before is not None:
        query = query.where(or_(at < before[0], and_(at == before[0], identity < before[1])))
    return list(session.exec(query.order_by(at.desc(), identity.desc()).limit(limit)))


def rollout_views(session: Session, rows: list[RolloutRow], silence_seconds: float) -> list[RolloutView]:
    """As the API shows them: versions by id and by name, steps as people count."""
    names = name_versions(session, (one for row in rows for one in (row.model_version_id, row.previous)))
    standing = standing_holds(session, {row.deployment for row in rows})
    waits = waits_of(session, rows, standing, silence_seconds)
    return [_rollout_view(row, names, _held_by(row, standing), waits.get(row.id, "")) for row in rows]


def _rollout_view(row: RolloutRow, names: Mapping[UUID, str], holds: list[HoldRow], waits_for: str) -> RolloutView:
    return RolloutView(
        **row.model_dump(include=set(RolloutView.model_fields) - {"step"}),
        model_version=names[row.model_version_id],
        previous_version=names[row.previous] if row.previous else None,
        step=step_number(row),
        steps=len(RolloutPolicy.model_validate(row.policy).canary.steps),
        holds=hold_views(holds),
        waits_for=waits_for,
    )


def step_number(row: RolloutRow) -> int:
    """As people count: 1 is the first step; 0 before the canary first got weight."""
    return 0 if row.analysis is None else row.step + 1


def describe_analysis(session: Session, row: RolloutRow, now: float) -> list[str]:
    """As `graftwork why` would say it if the rollout were decided now, or at its end when it has ended."""
    return [*_held_lines(session, row), *_evidence_lines(session, row, now)]


def _held_by(row: RolloutRow, standing: list[HoldRow]) -> list[HoldRow]:
    """What it waits for; of one that has ended, what was placed on it and waits to be released."""
    holds = on_rollout(standing, row)
    return [hold for hold in holds if hold.rollout_id == row.id] if row.phase in FINAL_ROLLOUT_PHASES else holds


def _held_lines(session: Session, row: RolloutRow) -> list[str]:
    holds = _held_by(row, standing_holds(session, [row.deployment]))
    return [f"{in_words(holds)}; promotion and more weight wait until it is released"] if holds else []


def _evidence_lines(session: Session, row: RolloutRow, now: float) -> list[str]:
    if row.analysis is None:
        return []
    if row.fold_error is not None:
        return [f"its evidence cannot be folded: {row.fold_error}, {row.fold_failures} times in a row; tried again"]
    state, policy = AnalysisState.model_validate(row.analysis), RolloutPolicy.model_validate(row.policy).canary
    at = row.finished_at.timestamp() if row.finished_at else now
    heard = at if row.finished_at else last_heard(session, row.deployment)
    return explain(policy, assess(policy, state, at, heard))


def last_heard(session: Session, deployment: str) -> float | None:
    """Database time of the last observation accepted from any gateway of a deployment."""
    heard = session.exec(
        select(func.max(GatewayBootRow.watermark_at)).where(
            GatewayBootRow.deployment == deployment,
            col(GatewayBootRow.watermark) >= col(GatewayBootRow.first_second),
        )
    ).one()
    return heard.timestamp() if heard else None
