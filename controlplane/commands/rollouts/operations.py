"""Rollouts as people and pipelines ask for them: start, pause, resume, promote, abort."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from controlplane.commands.rollouts.changes import (
    announce_progress,
    change,
    decision_of,
    journey,
    keep_decision,
    lock_rollout,
)
from controlplane.commands.rollouts.phases import activate, enter_step, find_active, finish, give_way, leave, start_next
from controlplane.commands.rollouts.phases import promote as promote_now
from controlplane.commands.serving.generations import lock_deployment
from controlplane.commands.spine.tokens import Principal
from controlplane.domain.analysis.explain import decision_inputs
from controlplane.domain.analysis.state import AnalysisState
from controlplane.domain.analysis.verdict import invalid_for_good
from controlplane.domain.holds import Person
from controlplane.domain.rollout import Verb, check_verb
from controlplane.errors import AnotherPersonNeeded, Conflict, Invalid, NotFound
from controlplane.projections.deployments import stable_of
from controlplane.projections.holds import released_holds
from controlplane.projections.labellers import with_labellers
from controlplane.projections.rollouts import last_heard, step_number
from controlplane.store.serving_tables import DecisionRow, DeploymentRow, RolloutRow
from controlplane.store.tables import ModelVersionRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.facts import RolloutStarted
from schemas.phases import ACTIVE_ROLLOUT_PHASES, RolloutPhase
from schemas.rollouts import OperatorRequest, RolloutPolicy


@dataclass(frozen=True)
class StartRollout:
    """A request to release a version. Whoever waives gates has been asked for the role already."""

    deployment: str
    model_version_id: UUID
    reason: str
    waive_gates: str | None = None
    pipeline: str | None = None
    run_id: UUID | None = None


def start_rollout(uow: UnitOfWork, request: StartRollout) -> RolloutRow:
    """Start it, or queue it behind the active one. It may have ended already when this returns: gates are judged first.

    Raises NotFound, Invalid for a version of another model, Conflict for one that serves or is on its way already.
    """
    deployment = lock_deployment(uow, request.deployment)
    _replace_invalid(uow, deployment)
    _check_version(uow, deployment, request.model_version_id)
    _supersede(uow, deployment, request)
    waits = deployment.frozen or find_active(uow, deployment.name) is not None
    row = _record(uow, deployment, request, "Queued" if waits else "Gating")
    if not waits:
        activate(uow, deployment, row)
    return row


def pause_rollout(uow: UnitOfWork, rollout_id: UUID, request: OperatorRequest) -> RolloutRow:
    """The ladder stands at its weight; harm is still watched."""
    _, row = lock_for(uow, rollout_id, "pause", request.revision)
    keep_word(uow, row, "pause", request.reason)
    change(uow, row, phase="Paused", paused_for="operator", paused_at=uow.now(), reason=request.reason)
    announce_progress(uow, row, request.reason)
    return row


def resume_rollout(uow: UnitOfWork, rollout_id: UUID, request: OperatorRequest) -> RolloutRow:
    """The ladder goes on. What evidence has stopped, only evidence, promotion or the end can move."""
    deployment, row = lock_for(uow, rollout_id, "resume", request.revision)
    if row.verdict is not None:
        advice = "promote or abort it" if row.verdict == "INCONCLUSIVE" else "abort it and start a new rollout"
        raise Conflict(f"the rollout stands because it is {row.verdict} ({row.reason}): {advice}")
    keep_word(uow, row, "resume", request.reason)
    if row.weight == 0:
        with journey(uow, row):
            enter_step(uow, deployment, row, row.step, request.reason)
        return row
    change(uow, row, phase="Progressing", paused_for=None, reason=request.reason)
    announce_progress(uow, row, request.reason)
    return row


def promote_rollout(uow: UnitOfWork, rollout_id: UUID, request: OperatorRequest, by: Principal) -> RolloutRow:
    """Skip what is left of the ladder, on a person's word: kept as a decision with the evidence as it stood.

    Raises Held while an auditor holds it, AnotherPersonNeeded for who released it.
    """
    deployment, row = lock_for(uow, rollout_id, "promote", request.revision)
    _refuse_who_released(uow, row, Person(by.id, by.name))
    with journey(uow, row):
        promote_now(uow, deployment, row, keep_word(uow, row, "promote", request.reason), verified=True)
    return row


def abort_rollout(uow: UnitOfWork, rollout_id: UUID, request: OperatorRequest) -> RolloutRow:
    deployment, row = lock_for(uow, rollout_id, "abort", request.revision)
    decision = keep_word(uow, row, "abort", request.reason)
    with journey(uow, row):
        if row.phase != "Queued":
            leave(uow, deployment, f"aborted: {request.reason}")
        finish(uow, deployment, row, "Aborted", request.reason, decision)
    return row


def find_rollout(session: Session, rollout_id: UUID) -> RolloutRow:
    row = session.get(RolloutRow, rollout_id)
    if row is None:
        raise NotFound(f"there is no rollout {rollout_id}")
    return row


def lock_for(
    uow: UnitOfWork, rollout_id: UUID, verb: Verb, revision: int | None = None
) -> tuple[DeploymentRow, RolloutRow]:
    """For a person's word. Raises Conflict in a phase that does not allow it, and at another revision."""
    deployment = lock_deployment(uow, find_rollout(uow.session, rollout_id).deployment)
    row = lock_rollout(uow, rollout_id)
    if revision is not None and revision != row.revision:
        raise Conflict(f"the rollout is at revision {row.revision}, not {revision}: read it again")
    check_verb(verb, row.phase)  # type: ignore[arg-type]
    return deployment, row


def keep_word(uow: UnitOfWork, row: RolloutRow, verb: Verb, reason: str) -> DecisionRow:
    """What a person decided, beside what the evidence said at that moment."""
    inputs: dict[str, Any] = {
        "verb": verb,
        "reason": reason,
        "actor": uow.actor,
        "phase": row.phase,
        "step": step_number(row),
        "weight": row.weight,
        "verdict": row.verdict,
        "revision": row.revision,
    }
    if row.fold_error is not None:
        inputs["fold_error"] = row.fold_error  # evidence that cannot be read must not keep a person from ending it
    elif row.analysis is not None:
        policy, state = RolloutPolicy.model_validate(row.policy).canary, AnalysisState.model_validate(row.analysis)
        heard = last_heard(uow.session, row.deployment)
        evidence = decision_inputs(policy, state, uow.now().timestamp(), heard)
        inputs["evidence"] = with_labellers(uow.session, row.id, evidence)
    return keep_decision(uow, row, decision_of("operator", verb, reason, inputs))


def _record(uow: UnitOfWork, deployment: DeploymentRow, request: StartRollout, phase: RolloutPhase) -> RolloutRow:
    rollout_id = uuid4()
    correlationid = uow.cause.correlationid if uow.cause else str(rollout_id)
    fact = RolloutStarted(
        rollout_id=rollout_id,
        deployment=deployment.name,
        model_version_id=request.model_version_id,
        phase=phase,
    )
    asked_by = Cause(correlationid, uow.cause.causationid if uow.cause else None)
    row = RolloutRow(
        id=rollout_id,
        deployment=deployment.name,
        model_version_id=request.model_version_id,
        pipeline=request.pipeline,
        run_id=request.run_id,
        policy=deployment.policy,
        policy_revision=deployment.revision,
        waived_gates=request.waive_gates,
        gates=[],
        reason=request.reason,
        actor=uow.actor,
        correlationid=correlationid,
        started_event=uow.record(fact, f"rollout/{rollout_id}", asked_by),
        created_at=uow.now(),
    )
    uow.session.add(row)
    return row


def _refuse_who_released(uow: UnitOfWork, row: RolloutRow, by: Person) -> None:
    for hold in released_holds(uow.session, row):
        if hold.released_by and hold.released_token and by.is_same_as(Person(hold.released_token, hold.released_by)):
            raise AnotherPersonNeeded(f"{hold.released_by} released the hold of {hold.actor}: another person promotes")


def _check_version(uow: UnitOfWork, deployment: DeploymentRow, version_id: UUID) -> None:
    version = uow.session.get(ModelVersionRow, version_id)
    if version is None:
        raise NotFound(f"there is no model version {version_id}", field="model_version")
    if version.model != deployment.model:
        raise Invalid(
            f"deployment {deployment.name!r} serves model {deployment.model!r}, not {version.model!r}",
            field="model_version",
        )
    _check_task(uow, deployment, version)
    if stable_of(uow.session, deployment) == version_id:
        raise Conflict(f"{version.model}/{version.version} serves already", field="model_version")
    under_way = select(RolloutRow).where(
        RolloutRow.deployment == deployment.name,
        RolloutRow.model_version_id == version_id,
        col(RolloutRow.phase).in_(("Queued", *ACTIVE_ROLLOUT_PHASES)),
    )
    if found := uow.session.exec(under_way).first():
        raise Conflict(
            f"{version.model}/{version.version} is on its way already: rollout {found.id} is {found.phase}",
            field="model_version",
        )


def _check_task(uow: UnitOfWork, deployment: DeploymentRow, version: ModelVersionRow) -> None:
    """A deployment keeps its task: whoever asks it reads answers of one kind, and one arm's are compared with the
    other's. What waits or is under way may be the next stable version."""
    unfinished = select(RolloutRow.model_version_id).where(
        RolloutRow.deployment == deployment.name, col(RolloutRow.phase).in_(("Queued", *ACTIVE_ROLLOUT_PHASES))
    )
    for beside in (stable_of(uow.session, deployment), *uow.session.exec(unfinished)):
        other = uow.session.get(ModelVersionRow, beside) if beside is not None else None
        if other is not None and (kept := other.identity["task"]["type"]) != (task := version.identity["task"]["type"]):
            raise Invalid(
                f"{version.model}/{version.version} is a version for {task}: expected one for {kept}, as "
                f"{other.model}/{other.version} is, which deployment {deployment.name!r} serves or is about to",
                field="model_version",
            )


def _replace_invalid(uow: UnitOfWork, deployment: DeploymentRow) -> None:
    active = find_active(uow, deployment.name)
    if active is None or active.verdict != "INVALID" or active.analysis is None:
        return
    row = lock_rollout(uow, active.id)
    policy, state = RolloutPolicy.model_validate(row.policy).canary, AnalysisState.model_validate(row.analysis)
    if invalid_for_good(policy, state):
        with journey(uow, row):
            give_way(uow, deployment, row)
        start_next(uow, deployment)  # not only before the commit: whoever waits comes before the new one


def _supersede(uow: UnitOfWork, deployment: DeploymentRow, request: StartRollout) -> None:
    """A newer version from the same pipeline replaces one that still waits; two releases of one run both stay."""
    if request.pipeline is None:
        return
    waiting = select(RolloutRow).where(
        RolloutRow.deployment == deployment.name,
        RolloutRow.phase == "Queued",
        RolloutRow.pipeline == request.pipeline,
    )
    for row in list(uow.session.exec(waiting)):
        if request.run_id is not None and row.run_id == request.run_id:
            continue  # its run has not recorded it yet, and would wait for it for ever
        finish(uow, deployment, row, "Superseded", f"pipeline {request.pipeline!r} made a newer version")
