"""What a rollout goes through: gates, verification, steps and its end; each change with its decision and its fact."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from controlplane.commands import pipelines
from controlplane.commands.aliases import ANY, move_alias
from controlplane.commands.evidence import gather
from controlplane.commands.generations import Desired, set_generation, stable_of
from controlplane.domain import gates
from controlplane.domain.analysis.state import AnalysisState, begin, conclude, enter
from controlplane.domain.canonical import digest
from controlplane.domain.rollout import check_transition
from controlplane.errors import Conflict, NotFound
from controlplane.projections.rollouts import step_number
from controlplane.store.serving_tables import DecisionRow, DeploymentRow, RolloutRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import EventData
from schemas.events import RolloutAdvanced, RolloutFinished
from schemas.rollouts import Decision, GateVerdict, RolloutPhase, RolloutPolicy


def lock_rollout(uow: UnitOfWork, rollout_id: UUID) -> RolloutRow:
    """As it is now; observations and labels that arrive meanwhile wait. Lock its deployment first."""
    query = select(RolloutRow).where(RolloutRow.id == rollout_id).with_for_update()
    row = uow.session.exec(query, execution_options={"populate_existing": True}).one_or_none()
    if row is None:
        raise NotFound(f"there is no rollout {rollout_id}")
    return row


def change(uow: UnitOfWork, row: RolloutRow, **values: Any) -> None:
    """Compare-and-swap on the revision. Raises Conflict when somebody else changed the rollout."""
    if "phase" in values:
        check_transition(row.phase, values["phase"])  # type: ignore[arg-type]
    changed = uow.execute(
        update(RolloutRow)
        .where(col(RolloutRow.id) == row.id, col(RolloutRow.revision) == row.revision)
        .values(**values, revision=row.revision + 1)
        .execution_options(synchronize_session=False)
    )
    if not changed:
        raise Conflict(f"rollout {row.id} is no longer at revision {row.revision}: read it again")
    uow.session.refresh(row)


def keep_decision(uow: UnitOfWork, row: RolloutRow, decision: Decision) -> DecisionRow:
    kept = DecisionRow(
        id=uuid4(), rollout_id=row.id, actor=uow.actor, at=uow.now(), **decision.model_dump(include=_DECISION_FIELDS)
    )
    uow.session.add(kept)
    return kept


def decision_of(kind: Any, verdict: str, reason: str, inputs: dict[str, Any]) -> Decision:
    return Decision(kind=kind, verdict=verdict, reason=reason, inputs=inputs, digest=digest(inputs))


@contextmanager
def journey(uow: UnitOfWork, row: RolloutRow) -> Iterator[None]:
    """Whatever is announced meanwhile belongs to the rollout's journey, whoever's word or time it was that moved it."""
    before, uow.cause = uow.cause, cause_of(row)
    try:
        yield
    finally:
        uow.cause = before


def cause_of(row: RolloutRow) -> Cause:
    return Cause(row.correlationid, str(row.started_event))


def announce(uow: UnitOfWork, row: RolloutRow, fact: EventData) -> None:
    uow.record(fact, f"rollout/{row.id}", cause_of(row))


def announce_progress(uow: UnitOfWork, row: RolloutRow, reason: str) -> None:
    fact = RolloutAdvanced(
        rollout_id=row.id,
        deployment=row.deployment,
        phase=row.phase,
        step=step_number(row),
        weight=row.weight,
        reason=reason,
    )
    announce(uow, row, fact)


def note_fold_failure(uow: UnitOfWork, row: RolloutRow, fault: Exception) -> None:
    """People see it at once, and again when it ends. What is not folded renews no lease: the canary loses its weight.

    The class alone: a library's message may quote what it was given.
    """
    first = row.fold_failures == 0
    change(
        uow,
        row,
        fold_error=type(fault).__name__,
        fold_failures=row.fold_failures + 1,
        fold_failed_at=uow.now(),
    )
    if first:
        announce_progress(uow, row, f"its evidence cannot be folded ({row.fold_error}); it is tried again")


def note_fold_success(uow: UnitOfWork, row: RolloutRow) -> None:
    if row.fold_failures:
        change(uow, row, fold_error=None, fold_failures=0, fold_failed_at=None)
        announce_progress(uow, row, "its evidence is folded again")


# --- gates, then the proof that gateways can load it ------------------------------------------------------------------


def activate(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    """The rollout is the deployment's active one now: its gates are judged, by today's policy and champion."""
    with journey(uow, row):
        _judge_and_go_on(uow, deployment, row)


def _judge_and_go_on(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    champion = stable_of(uow.session, deployment)
    change(uow, row, phase="Gating", policy=deployment.policy, previous=champion, started_at=uow.now())
    verdicts, decision = _judge(uow, row, champion)
    change(uow, row, gates=[verdict.model_dump(mode="json") for verdict in verdicts])
    if champion == row.model_version_id:
        finish(uow, deployment, row, "Aborted", "the version serves already")
    elif not gates.passed(verdicts):
        finish(uow, deployment, row, "Aborted", f"gates: {gates.summarize(verdicts)}", decision)
    else:
        _enter_verifying(uow, deployment, row)


def _judge(uow: UnitOfWork, row: RolloutRow, champion: UUID | None) -> tuple[tuple[GateVerdict, ...], DecisionRow]:
    policy = RolloutPolicy.model_validate(row.policy)
    evidence = gather(uow.session, policy.gates, row.model_version_id, champion)
    verdicts = gates.judge(policy.gates, evidence, policy.may_drop)
    inputs = {
        "gates": [gate.model_dump(mode="json") for gate in policy.gates],
        "may_drop": list(policy.may_drop),
        "evidence": evidence.model_dump(mode="json"),
        "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
    }
    good = gates.passed(verdicts)
    decision = decision_of("gates", "Passed" if good else "NotPassed", gates.summarize(verdicts), inputs)
    kept = keep_decision(uow, row, decision)
    if good or row.waived_gates is None:
        return verdicts, kept
    verdicts = gates.waive(verdicts, row.waived_gates)
    waiver = {
        "reason": row.waived_gates,
        "actor": row.actor,
        "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
    }
    return verdicts, keep_decision(uow, row, decision_of("operator", "Waived", row.waived_gates, waiver))


def _enter_verifying(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    probe, policy = uuid4(), RolloutPolicy.model_validate(row.policy)
    stable = stable_of(uow.session, deployment)
    reason = "live gateways load the version and answer a smoke row"
    desired = Desired(stable=stable, rollout_id=row.id, probe=probe, probe_version=row.model_version_id)
    set_generation(uow, deployment, deployment.generation, desired, reason)
    deadline = uow.now() + timedelta(seconds=policy.verify_seconds)
    change(uow, row, phase="Verifying", probe=probe, probe_deadline=deadline)
    announce_progress(uow, row, reason)


# --- the ladder -------------------------------------------------------------------------------------------------------


def enter_step(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, step: int, reason: str) -> None:
    """The canary gets the step's weight: a new generation with a draw of its own."""
    policy, now = RolloutPolicy.model_validate(row.policy).canary, uow.now()
    weight = policy.steps[step]
    desired = Desired(
        stable=stable_of(uow.session, deployment),
        canary=row.model_version_id,
        weight=weight,
        rollout_id=row.id,
        step=step,
    )
    generation = set_generation(uow, deployment, deployment.generation, desired, reason)
    state = AnalysisState.model_validate(row.analysis) if row.analysis else begin(policy, now.timestamp())
    change(
        uow,
        row,
        phase="Progressing",
        step=step,
        weight=weight,
        hold=None,
        verdict=None,
        analysis=enter(state, generation.generation, step, weight).model_dump(mode="json"),
        folded_at=now,
        step_started_at=now,
    )
    announce_progress(uow, row, reason)


def withdraw(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, reason: str) -> None:
    """The canary gets no more traffic; its stable needs no proof, it serves already."""
    set_generation(
        uow,
        deployment,
        deployment.generation,
        Desired(stable=stable_of(uow.session, deployment), rollout_id=row.id, step=row.step),
        reason,
    )
    change(uow, row, weight=0.0)


def give_way(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    """What is INVALID for good ends by a new rollout only, and this is that end: it must not hold the queue."""
    reason = f"gave way to the next rollout: {row.reason}"
    leave(uow, deployment, reason)
    finish(uow, deployment, row, "Aborted", reason)


# --- the end ----------------------------------------------------------------------------------------------------------


def promote(
    uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, decision: DecisionRow, *, verified: bool
) -> None:
    """Pointer and desired state move in one transaction: the version is what the deployment serves."""
    desired = Desired(stable=row.model_version_id)
    set_generation(uow, deployment, deployment.generation, desired, f"promoted: {decision.reason}")
    move_alias(
        uow,
        deployment.model,
        deployment.alias,
        row.model_version_id,
        expected=ANY,
        reason=decision.reason,
        evidence=decision.digest,
        verified=verified,
    )
    finish(uow, deployment, row, "Promoted", decision.reason, decision)


def roll_back(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow, decision: DecisionRow) -> None:
    leave(uow, deployment, f"rolled back: {decision.reason}")
    finish(uow, deployment, row, "RolledBack", decision.reason, decision)


def leave(uow: UnitOfWork, deployment: DeploymentRow, reason: str) -> None:
    """Back to stable alone."""
    stable = stable_of(uow.session, deployment)
    set_generation(uow, deployment, deployment.generation, Desired(stable=stable), reason)


def finish(
    uow: UnitOfWork,
    deployment: DeploymentRow,
    row: RolloutRow,
    phase: RolloutPhase,
    reason: str,
    decision: DecisionRow | None = None,
) -> None:
    """The rollout ends; its pipeline run hears of it, and the next one in the queue begins unless it is frozen."""
    weight = 1.0 if phase == "Promoted" else 0.0
    values: dict[str, Any] = {"phase": phase, "reason": reason, "weight": weight, "finished_at": uow.now()}
    if decision is not None and decision.kind == "canary":
        values["verdict"] = decision.verdict
        if decision.verdict in ("HARM", "SAFE"):
            state = AnalysisState.model_validate(row.analysis)
            values["analysis"] = conclude(state, decision.verdict).model_dump(mode="json")  # type: ignore[arg-type]
    change(uow, row, **values)
    fact = RolloutFinished(
        rollout_id=row.id,
        deployment=row.deployment,
        model_version_id=row.model_version_id,
        phase=phase,
        verdict=row.verdict,
        decision_id=decision.id if decision else None,
        reason=reason,
    )
    announce(uow, row, fact)
    if row.run_id is not None:
        pipelines.rollout_finished(uow, row)
    start_next(uow, deployment)


def find_active(uow: UnitOfWork, deployment: str) -> RolloutRow | None:
    query = select(RolloutRow).where(
        RolloutRow.deployment == deployment,
        col(RolloutRow.phase).in_(("Gating", "Verifying", "Progressing", "Paused")),
    )
    return uow.session.exec(query).first()


def find_next(uow: UnitOfWork, deployment: DeploymentRow) -> RolloutRow | None:
    """The oldest queued rollout, unless the queue is frozen."""
    if deployment.frozen:
        return None
    queued = select(RolloutRow).where(RolloutRow.deployment == deployment.name, RolloutRow.phase == "Queued")
    return uow.session.exec(queued.order_by(col(RolloutRow.created_at), col(RolloutRow.id))).first()


def start_next(uow: UnitOfWork, deployment: DeploymentRow) -> None:
    """The oldest queued rollout becomes the active one, unless there is one or the queue is frozen."""
    if find_active(uow, deployment.name) is None and (row := find_next(uow, deployment)) is not None:
        activate(uow, deployment, row)


_DECISION_FIELDS = {"kind", "verdict", "reason", "inputs", "digest"}
