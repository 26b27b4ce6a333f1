"""Verification: live gateways load a version and answer a smoke row before it gets traffic or the pointer."""

from controlplane.commands.rollouts.changes import decision_of, keep_decision
from controlplane.commands.rollouts.phases import enter_step, finish, holds_on, leave, promote, wait_while_held
from controlplane.commands.serving.gateways import Proof, prove
from controlplane.projections.deployments import stable_of
from controlplane.store.serving_tables import DecisionRow, DeploymentRow, RolloutRow
from controlplane.store.unit_of_work import UnitOfWork


def advance_verifying(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, silence_seconds: float) -> None:
    """Go on when every live gateway has answered; give up when the time is over. While it is held neither happens.

    A first release with no live gateway moves the pointer, and its history says that nobody proved it.
    """
    if holds := holds_on(uow, row):
        return wait_while_held(uow, row, "its first weight", holds)
    assert row.probe is not None
    assert row.probe_deadline is not None
    proof = prove(uow, deployment.name, row.probe, silence_seconds)
    first, over = stable_of(uow.session, deployment) is None, uow.now() >= row.probe_deadline
    if proof.complete or (first and proof.nobody_will_answer(over=over)):
        _accept(uow, deployment, row, proof, first=first)
    elif over:
        reason = f"not verified in time: {', '.join(proof.unconfirmed) or 'no gateway is live'}"
        decision = _decide(uow, row, "NotVerified", reason, proof)
        leave(uow, deployment, reason)
        finish(uow, deployment, row, "Aborted", reason, decision)


def _accept(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, proof: Proof, *, first: bool) -> None:
    verified = proof.complete
    reason = f"loaded and answered by {', '.join(proof.confirmed)}" if verified else "unverified: no gateway is live"
    if not first:
        _decide(uow, row, "Verified", reason, proof)
        enter_step(uow, deployment, row, 0, reason)
        return
    reason = f"first release, {reason}"
    decision = _decide(uow, row, "Verified" if verified else "Unverified", reason, proof)
    promote(uow, deployment, row, decision, verified=verified)


def _decide(uow: UnitOfWork, row: RolloutRow, verdict: str, reason: str, proof: Proof) -> DecisionRow:
    inputs = {
        "probe": str(row.probe),
        "confirmed": list(proof.confirmed),
        "unconfirmed": list(proof.unconfirmed),
        "silent": list(proof.silent),
    }
    return keep_decision(uow, row, decision_of("verification", verdict, reason, inputs))
