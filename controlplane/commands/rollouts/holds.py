"""Holds: an auditor lets nothing gain ground until another person lets it go on. Rollback and abort never wait."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from controlplane.commands.rollouts.changes import announce_progress, cause_of, change, lock_rollout
from controlplane.commands.rollouts.operations import find_rollout, keep_word, lock_for
from controlplane.commands.rollouts.phases import find_active, holds_on
from controlplane.commands.serving.generations import lock_deployment
from controlplane.commands.spine.tokens import Principal
from controlplane.domain.holds import Person
from controlplane.domain.rollout import Verb
from controlplane.errors import AnotherPersonNeeded, Conflict
from controlplane.projections.holds import on_deployment, standing_holds
from controlplane.store.serving_tables import DeploymentRow, HoldRow, RolloutRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.facts import HoldPlaced, HoldReleased
from schemas.phases import FINAL_ROLLOUT_PHASES
from schemas.rollouts import RolloutPolicy
from schemas.views.holds import HoldReleaseRequest

HOLD: Verb = "hold"
RELEASE: Verb = "release-hold"


def hold_rollout(uow: UnitOfWork, rollout_id: UUID, by: Principal, reason: str) -> RolloutRow:
    """It stays where it is, and its evidence is still folded; another rollout of its version would wait too.

    Raises Conflict for who holds it already.
    """
    deployment, row = lock_for(uow, rollout_id, HOLD)
    _place(uow, deployment, row, by, reason)
    keep_word(uow, row, HOLD, reason)
    return row


def hold_deployment(uow: UnitOfWork, name: str, by: Principal, reason: str) -> DeploymentRow:
    """Every rollout of it stays where it is, and those that start later wait before their first weight."""
    deployment = lock_deployment(uow, name)
    _place(uow, deployment, None, by, reason)
    if (active := find_active(uow, name)) is not None:
        keep_word(uow, lock_rollout(uow, active.id), HOLD, reason)
    return deployment


def release_rollout_hold(uow: UnitOfWork, rollout_id: UUID, by: Principal, request: HoldReleaseRequest) -> RolloutRow:
    """Also of one that has ended: its version is held all the same.

    Raises AnotherPersonNeeded for who placed it, Conflict when none stands or, unnamed, several do.
    """
    lock_deployment(uow, find_rollout(uow.session, rollout_id).deployment)
    row = lock_rollout(uow, rollout_id)
    standing = [hold for hold in holds_on(uow, row) if hold.model_version_id is not None]
    _release(uow, _chosen(standing, f"rollout {row.id}", request.hold), by, request.reason, cause_of(row))
    _go_on(uow, row, request.reason)
    return row


def release_deployment_hold(uow: UnitOfWork, name: str, by: Principal, request: HoldReleaseRequest) -> DeploymentRow:
    """As of a rollout. A hold on one of its rollouts stays."""
    deployment = lock_deployment(uow, name)
    standing = on_deployment(standing_holds(uow.session, [name]), name)
    _release(uow, _chosen(standing, f"deployment {name!r}", request.hold), by, request.reason, None)
    if (active := find_active(uow, name)) is not None:
        _go_on(uow, lock_rollout(uow, active.id), request.reason)
    return deployment


def _place(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow | None, by: Principal, reason: str) -> None:
    rollout_id, version = (row.id, row.model_version_id) if row else (None, None)
    mine = Person(by.id, by.name)
    for hold in standing_holds(uow.session, [deployment.name]):
        if hold.model_version_id == version and mine.is_same_as(Person(hold.token_id, hold.actor)):
            raise Conflict(f"{hold.actor} holds it already: {hold.reason}")
    hold = HoldRow(
        id=uuid4(),
        deployment=deployment.name,
        rollout_id=rollout_id,
        model_version_id=version,
        reason=reason,
        actor=by.name,
        token_id=by.id,
        at=uow.now(),
    )
    uow.session.add(hold)
    uow.session.flush()
    fact = HoldPlaced(hold_id=hold.id, deployment=deployment.name, rollout_id=rollout_id, actor=by.name, reason=reason)
    uow.record(fact, f"deployment/{deployment.name}", cause_of(row) if row else None)


def _chosen(standing: Sequence[HoldRow], what: str, hold_id: UUID | None) -> HoldRow:
    """The one that is named, or the only one."""
    if not standing:
        raise Conflict(f"no hold stands on {what}")
    if hold_id is None and len(standing) == 1:
        return standing[0]
    told = ", ".join(f"{hold.id} of {hold.actor}" for hold in standing)
    if hold_id is None:
        raise Conflict(f"{len(standing)} holds stand on {what}, expected which: {told}", field="hold")
    for hold in standing:
        if hold.id == hold_id:
            return hold
    raise Conflict(f"hold {hold_id} does not stand on {what}: {told} does", field="hold")


def _release(uow: UnitOfWork, hold: HoldRow, by: Principal, reason: str, cause: Cause | None) -> None:
    if Person(hold.token_id, hold.actor).is_same_as(Person(by.id, by.name)):
        raise AnotherPersonNeeded(f"{hold.actor} placed this hold: another person, with another token, releases it")
    hold.released_at, hold.released_by, hold.released_token, hold.release_reason = uow.now(), by.name, by.id, reason
    uow.session.add(hold)
    uow.session.flush()
    fact = HoldReleased(
        hold_id=hold.id, deployment=hold.deployment, rollout_id=hold.rollout_id, actor=by.name, reason=reason
    )
    uow.record(fact, f"deployment/{hold.deployment}", cause)


def _go_on(uow: UnitOfWork, row: RolloutRow, reason: str) -> None:
    """The word of it is kept; when nothing else stands on the rollout it goes on at the reconciler's next look."""
    keep_word(uow, row, RELEASE, reason)
    if row.phase in FINAL_ROLLOUT_PHASES or holds_on(uow, row):
        return
    reason = f"hold released by {uow.actor}: {reason}"
    if row.phase == "Verifying":
        policy = RolloutPolicy.model_validate(row.policy)
        change(uow, row, reason=reason, probe_deadline=uow.now() + timedelta(seconds=policy.verify_seconds))
    else:
        change(uow, row, reason=reason)
    announce_progress(uow, row, reason)
