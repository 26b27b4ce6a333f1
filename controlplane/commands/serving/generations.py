"""Generations: one desired state of a deployment after another, each a compare-and-swap on the one before."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select, update

from controlplane.errors import Conflict, NotFound
from controlplane.projections.deployments import current_generation
from controlplane.projections.models import find_graph
from controlplane.projections.names import hint
from controlplane.store.serving_tables import DeploymentRow, GenerationRow, RolloutRow
from controlplane.store.tables import ModelVersionRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.facts import GenerationCreated
from schemas.model.references import GraphRef
from schemas.rollouts import CanaryPolicy, RolloutPolicy
from schemas.serving import Generation, ServedVersion


@dataclass(frozen=True)
class Desired:
    """What gateways shall do from now on."""

    stable: UUID | None
    canary: UUID | None = None
    weight: float = 0.0
    rollout_id: UUID | None = None
    step: int = 0
    probe: UUID | None = None
    probe_version: UUID | None = None
    rollback_id: UUID | None = None


def lock_deployment(uow: UnitOfWork, name: str) -> DeploymentRow:
    """The deployment as it is now; whatever else changes its rollouts or its state waits for this transaction."""
    query = select(DeploymentRow).where(DeploymentRow.name == name)
    # `key_share`: gateways may register and report meanwhile, their rows only refer to it
    row = uow.session.exec(
        query.with_for_update(key_share=True), execution_options={"populate_existing": True}
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no deployment {name!r}", hint=hint(uow.session, name, DeploymentRow.name))
    return row


def set_generation(
    uow: UnitOfWork, deployment: DeploymentRow, expected_generation: int, desired: Desired, reason: str
) -> GenerationRow:
    """Replace a deployment's desired state. Raises Conflict when the expected one is not the current one."""
    number = expected_generation + 1
    graphs = _pin_graphs(uow.session, deployment.name, expected_generation, desired)
    moved = uow.execute(
        update(DeploymentRow)
        .where(col(DeploymentRow.name) == deployment.name, col(DeploymentRow.generation) == expected_generation)
        .values(generation=number)
        .execution_options(synchronize_session=False)
    )
    if not moved:
        raise Conflict(
            f"generation {expected_generation} of deployment {deployment.name!r} is no longer the current one"
        )
    uow.session.refresh(deployment)
    row = GenerationRow(
        **vars(desired),
        deployment=deployment.name,
        generation=number,
        salt=f"{desired.rollout_id}/{desired.step}" if desired.canary else "",
        graphs=graphs,
        reason=reason,
        actor=uow.actor,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.record(_fact(row), f"deployment/{deployment.name}")
    return row


def describe_generation(session: Session, deployment: DeploymentRow) -> Generation:
    """The current desired state as gateways read it, signing key and all."""
    row = current_generation(session, deployment) or GenerationRow(
        deployment=deployment.name, generation=deployment.generation, graphs={}, reason="", actor=""
    )
    policy = _canary_policy(session, deployment, row)
    return Generation(
        deployment=deployment.name,
        generation=row.generation,
        stable=_served(session, row, row.stable),
        canary=_served(session, row, row.canary),
        weight=row.weight,
        rollout_id=row.rollout_id,
        step=row.step,
        randomize=policy.randomize,
        salt=row.salt,
        deadline_seconds=policy.deadline_seconds,
        deadline_total_seconds=policy.total_deadline(),
        lease_seconds=policy.lease_seconds,
        signing_key=deployment.signing_key,
        probe=row.probe,
        probe_version=_served(session, row, row.probe_version),
    )


def _canary_policy(session: Session, deployment: DeploymentRow, row: GenerationRow) -> CanaryPolicy:
    rollout = session.get(RolloutRow, row.rollout_id) if row.rollout_id else None
    return RolloutPolicy.model_validate(rollout.policy if rollout else deployment.policy).canary


def _pin_graphs(session: Session, deployment: str, before: int, desired: Desired) -> dict[str, Any]:
    """Which graph each version is served by: its latest when it comes, and the same from then on.

    An export made meanwhile must not reach some gateways, or only those that restart. A rollout keeps its canary's
    graph while the canary is withdrawn.
    """
    last = session.get(GenerationRow, (deployment, before))
    known = last.graphs if last else {}
    versions = {str(v): v for v in (desired.stable, desired.canary, desired.probe_version) if v is not None}
    same_rollout = last is not None and last.rollout_id is not None and last.rollout_id == desired.rollout_id
    kept = known if same_rollout else {name: known[name] for name in versions if name in known}
    return {**kept, **{name: _latest_graph(session, versions[name]) for name in versions if name not in kept}}


def _latest_graph(session: Session, version_id: UUID) -> dict[str, Any]:
    graph = find_graph(session, version_id)
    if graph is None:
        raise Conflict(f"version {version_id} has no export: there is no graph to serve")
    return graph.model_dump(mode="json")


def _served(session: Session, row: GenerationRow, version_id: UUID | None) -> ServedVersion | None:
    if version_id is None:
        return None
    version = session.get(ModelVersionRow, version_id)
    assert version is not None  # versions are never deleted
    graph = GraphRef.model_validate(row.graphs[str(version_id)])
    return ServedVersion(id=version.id, model=version.model, version=version.version, graph=graph)


def _fact(row: GenerationRow) -> GenerationCreated:
    return GenerationCreated(
        deployment=row.deployment,
        generation=row.generation,
        stable=row.stable,
        canary=row.canary,
        weight=row.weight,
        rollout_id=row.rollout_id,
        reason=row.reason,
    )
