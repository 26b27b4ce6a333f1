"""Deployments as they are read: what they shall serve, what served at a time, their gateways and rollbacks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.projections.gateways import is_live, list_boots
from controlplane.projections.holds import hold_views, on_deployment, standing_holds
from controlplane.projections.label_delays import wait_warnings
from controlplane.projections.models import name_versions
from controlplane.projections.names import hint
from controlplane.projections.served import served_at
from controlplane.store.serving_tables import DeploymentRow, GatewayBootRow, GenerationRow, RollbackRow
from schemas.rollouts import RolloutPolicy
from schemas.views.deployments import AppliedView, DeploymentView, DesiredView, GatewayView, RollbackView, ServedView


def find_deployment(session: Session, name: str) -> DeploymentRow:
    row = session.get(DeploymentRow, name)
    if row is None:
        raise NotFound(f"there is no deployment {name!r}", hint=hint(session, name, DeploymentRow.name))
    return row


def deployment_names(session: Session) -> list[str]:
    """All of them, however many."""
    return list(session.exec(select(DeploymentRow.name).order_by(col(DeploymentRow.name))))


def list_deployments(session: Session, after: str, limit: int) -> list[DeploymentRow]:
    name = col(DeploymentRow.name)
    return list(session.exec(select(DeploymentRow).where(name > after).order_by(name).limit(limit)))


def current_generation(session: Session, deployment: DeploymentRow) -> GenerationRow | None:
    """None before the first one."""
    return session.get(GenerationRow, (deployment.name, deployment.generation))


def stable_of(session: Session, deployment: DeploymentRow) -> UUID | None:
    """The version that gateways serve when no canary does; None before the first release."""
    row = current_generation(session, deployment)
    return row.stable if row else None


def find_running_rollback(session: Session, deployment: str) -> RollbackRow | None:
    return session.exec(
        select(RollbackRow).where(RollbackRow.deployment == deployment, RollbackRow.phase == "Verifying")
    ).first()


def list_rollbacks(session: Session, deployment: str, limit: int) -> list[RollbackRow]:
    """Newest first."""
    query = select(RollbackRow).where(RollbackRow.deployment == deployment)
    return list(session.exec(query.order_by(col(RollbackRow.created_at).desc()).limit(limit)))


def deployment_view(session: Session, row: DeploymentRow) -> DeploymentView:
    return DeploymentView(
        **row.model_dump(exclude={"policy", "signing_key"}),
        policy=RolloutPolicy.model_validate(row.policy),
        desired=_desired(session, current_generation(session, row)),
        holds=hold_views(on_deployment(standing_holds(session, [row.name]), row.name)),
        warnings=wait_warnings(session, row.name, RolloutPolicy.model_validate(row.policy).canary),
    )


def gateway_views(session: Session, deployment: str, now: datetime, silence_seconds: float) -> list[GatewayView]:
    """The last boot of each of its gateways, and whether it reported lately."""
    boots = list_boots(session, [deployment])
    return [_gateway_view(session, row, live=is_live(row, now, silence_seconds)) for row in boots]


def served_view(session: Session, deployment: str, at: datetime) -> ServedView:
    """What was desired at a time, and what each gateway had said to apply by then."""
    served = served_at(session, deployment, at)
    applied = [
        AppliedView(**row.model_dump(), **_versions(session, served.applied_generations.get(row.generation)))
        for row in served.applied
    ]
    return ServedView(at=at, desired=_desired(session, served.generation), applied=applied)


def rollback_view(session: Session, row: RollbackRow) -> RollbackView:
    names = name_versions(session, (row.target, row.previous))
    return RollbackView(**row.model_dump(), target_version=names[row.target], previous_version=names[row.previous])


def _desired(session: Session, row: GenerationRow | None) -> DesiredView | None:
    if row is None:
        return None
    step = row.step + 1 if row.canary else 0
    plain = row.model_dump(include=set(DesiredView.model_fields) - {"step", "stable", "canary"})
    return DesiredView(**plain, **_versions(session, row), step=step)


def _versions(session: Session, row: GenerationRow | None) -> dict[str, Any]:
    stable, canary = (row.stable, row.canary) if row else (None, None)
    names = name_versions(session, (stable, canary))
    return {
        "stable": stable,
        "stable_version": names[stable] if stable else None,
        "canary": canary,
        "canary_version": names[canary] if canary else None,
    }


def _gateway_view(session: Session, row: GatewayBootRow, *, live: bool) -> GatewayView:
    loaded = [UUID(one) for one in row.loaded]
    names = name_versions(session, loaded)
    return GatewayView(**row.model_dump(), live=live, loaded_versions=[names[one] for one in loaded])
