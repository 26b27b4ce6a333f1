"""Rollback by a person: the canary ends at once, the pointer moves when live gateways can answer with the target."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from controlplane.commands.registry.aliases import ANY, move_alias
from controlplane.commands.rollouts.changes import decision_of, keep_decision, lock_rollout
from controlplane.commands.rollouts.phases import find_active, finish, start_next
from controlplane.commands.serving.gateways import Proof, prove
from controlplane.commands.serving.generations import Desired, lock_deployment, set_generation
from controlplane.domain.canonical import digest
from controlplane.domain.rollout import Served, predecessor
from controlplane.errors import Conflict
from controlplane.projections.deployments import find_running_rollback, stable_of
from controlplane.projections.models import find_graph, find_version
from controlplane.store.serving_tables import DeploymentRow, GenerationRow, RollbackRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.facts import RollbackFinished
from schemas.phases import RollbackPhase
from schemas.rollouts import RollbackRequest, RolloutPolicy


def start_rollback(uow: UnitOfWork, name: str, request: RollbackRequest, silence_seconds: float) -> RollbackRow:
    """Abort the active rollout, freeze the queue and ask live gateways to load the target; forced, move at once.

    Raises Conflict without a predecessor, for a target that never served, and while another rollback runs.
    """
    deployment = lock_deployment(uow, name)
    if running := find_running_rollback(uow.session, name):
        raise Conflict(f"rollback {running.id} of deployment {name!r} is on its way already")
    stable = stable_of(uow.session, deployment)
    target = _target(uow, deployment, stable, request.target)
    assert stable is not None
    _freeze(uow, deployment, request.reason)
    _abort_active(uow, deployment, request.reason)
    policy, now = RolloutPolicy.model_validate(deployment.policy), uow.now()
    row = RollbackRow(
        deployment=name,
        target=target,
        previous=stable,
        force=request.force,
        probe=uuid4(),
        deadline=now + timedelta(seconds=policy.verify_seconds),
        unconfirmed=[],
        reason=request.reason,
        actor=uow.actor,
        created_at=now,
    )
    uow.session.add(row)
    if request.force:
        _move(uow, deployment, row, prove(uow, name, row.probe, silence_seconds))
    else:
        desired = Desired(stable=stable, probe=row.probe, probe_version=target)
        set_generation(uow, deployment, deployment.generation, desired, f"rollback, to be verified: {request.reason}")
    return row


def advance_rollback(uow: UnitOfWork, deployment: DeploymentRow, row: RollbackRow, silence_seconds: float) -> None:
    """Move when every live gateway has answered, or at the deadline when at least one has.

    With no live gateway there is nobody to ask: the pointer moves, and its history says unverified.
    """
    proof = prove(uow, deployment.name, row.probe, silence_seconds)
    over = uow.now() >= row.deadline
    if proof.complete or proof.nobody_will_answer(over=over) or (over and proof.confirmed):
        _move(uow, deployment, row, proof)
    elif over:
        reason = "no live gateway could load the target; the pointer has not moved"
        stable = stable_of(uow.session, deployment)
        set_generation(uow, deployment, deployment.generation, Desired(stable=stable), f"rollback failed: {reason}")
        _end(uow, row, "Failed", proof, reason)


def resume_queue(uow: UnitOfWork, name: str) -> DeploymentRow:
    """Unfreeze after a rollback: the next queued rollout begins."""
    deployment = lock_deployment(uow, name)
    if running := find_running_rollback(uow.session, name):
        raise Conflict(f"rollback {running.id} of deployment {name!r} has not ended yet")
    if not deployment.frozen:
        raise Conflict(f"the queue of deployment {name!r} is not frozen")
    deployment.frozen, deployment.frozen_reason = False, None
    uow.session.flush()
    start_next(uow, deployment)
    return deployment


def _target(uow: UnitOfWork, deployment: DeploymentRow, stable: UUID | None, reference: str | None) -> UUID:
    history = _history(uow.session, deployment.name)
    if reference is None:
        target = predecessor(history)
        if target is None:
            raise Conflict(f"deployment {deployment.name!r} has no predecessor to roll back to")
        return target
    wanted = find_version(uow.session, reference, field="target").id
    if wanted == stable:
        raise Conflict(f"version {reference} serves already", field="target")
    if wanted not in {served.version for served in history}:
        raise Conflict(f"version {reference} never served {deployment.name!r}: start a rollout instead", field="target")
    if find_graph(uow.session, wanted) is None:
        raise Conflict(f"version {reference} has no export: there is no graph to serve", field="target")
    return wanted


def _history(session: Session, deployment: str) -> list[Served]:
    """The stable version of every generation that had one, oldest first."""
    query = select(GenerationRow.stable, GenerationRow.rollback_id).where(GenerationRow.deployment == deployment)
    rows = session.exec(query.order_by(col(GenerationRow.generation)))
    return [Served(stable, by_rollback=rollback is not None) for stable, rollback in rows if stable is not None]


def _freeze(uow: UnitOfWork, deployment: DeploymentRow, reason: str) -> None:
    """Before the active rollout ends: the next one must not begin."""
    deployment.frozen, deployment.frozen_reason = True, f"rollback: {reason}"
    uow.session.flush()


def _abort_active(uow: UnitOfWork, deployment: DeploymentRow, reason: str) -> None:
    """Its canary ends with the generation that this transaction creates next."""
    active = find_active(uow, deployment.name)
    if active is None:
        return
    row = lock_rollout(uow, active.id)
    inputs = {"verb": "rollback", "reason": reason, "actor": uow.actor, "phase": row.phase, "weight": row.weight}
    decision = keep_decision(uow, row, decision_of("operator", "rollback", reason, inputs))
    finish(uow, deployment, row, "Aborted", f"rollback of the deployment: {reason}", decision)


def _move(uow: UnitOfWork, deployment: DeploymentRow, row: RollbackRow, proof: Proof) -> None:
    """Pointer and desired state in one transaction."""
    how = "forced" if row.force else "verified" if proof.complete else "not verified by every gateway"
    reason = f"rollback ({how}): {row.reason}"
    set_generation(uow, deployment, deployment.generation, Desired(stable=row.target, rollback_id=row.id), reason)
    evidence = {
        "rollback": str(row.id),
        "force": row.force,
        "confirmed": list(proof.confirmed),
        "unconfirmed": [*proof.unconfirmed, *proof.silent],
    }
    move_alias(
        uow,
        deployment.model,
        deployment.alias,
        row.target,
        expected=ANY,
        reason=reason,
        evidence=digest(evidence),
        verified=proof.complete and not row.force,
    )
    _end(uow, row, "Succeeded", proof, reason)


def _end(uow: UnitOfWork, row: RollbackRow, phase: RollbackPhase, proof: Proof, reason: str) -> None:
    row.phase, row.finished_at = phase, uow.now()
    row.unconfirmed = [*proof.unconfirmed, *proof.silent]
    fact = RollbackFinished(
        deployment=row.deployment,
        rollback_id=row.id,
        phase=phase,
        target=row.target,
        unconfirmed_gateways=row.unconfirmed,
        reason=reason,
    )
    uow.record(fact, f"deployment/{row.deployment}")
