"""What a rollout goes through: gates, verification, steps and its end; each change with its decision and its fact."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select

from controlplane.commands.registry.aliases import ANY, move_alias
from controlplane.commands.registry.evidence import gather
from controlplane.commands.rollouts.changes import (
    announce,
    announce_progress,
    change,
    decision_of,
    journey,
    keep_decision,
)
from controlplane.commands.serving.generations import Desired, set_generation
from controlplane.domain import gates
from controlplane.domain.analysis.state import AnalysisState, begin, conclude, enter
from controlplane.errors import Conflict
from controlplane.projections.deployments import stable_of
from controlplane.projections.holds import in_words, on_rollout, standing_holds
from controlplane.store.ended import RolloutEnded
from controlplane.store.serving_tables import DecisionRow, DeploymentRow, HoldRow, RolloutRow
from controlplane.store.unit_of_work import UnitOfWork
from schemas.facts import RolloutFinished
from schemas.phases import ACTIVE_ROLLOUT_PHASES, RolloutPhase
from schemas.rollouts import GateVerdict, RolloutPolicy

# --- holds ------------------------------------------------------------------------------------------------------------


class Held(Conflict):
    """An auditor holds it: another person has to release it first"""

    slug = "held"


def holds_on(uow: UnitOfWork, row: RolloutRow) -> list[HoldRow]:
    return on_rollout(standing_holds(uow.session, [row.deployment]), row)


def wait_while_held(uow: UnitOfWork, row: RolloutRow, what: str, holds: list[HoldRow]) -> None:
    """People see once what waits, and for whom."""
    reason = f"{what} waits: {in_words(holds)}"
    if row.reason != reason:
        change(uow, row, reason=reason)
        announce_progress(uow, row, reason)


def _refuse_while_held(uow: UnitOfWork, row: RolloutRow) -> None:
    """Every way to more traffic leads past here."""
    if holds := holds_on(uow, row):
        raise Held(f"rollout {row.id} is {in_words(holds)}")


# --- gates, then the proof that gateways can load it ------------------------------------------------------------------


def activate(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    """The rollout is the deployment's active one now: its gates are judged, by today's policy and champion."""
    with journey(uow, row):
        _judge_and_go_on(uow, deployment, row)


def _judge_and_go_on(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    champion = stable_of(uow.session, deployment)
    policy = {"policy": deployment.policy, "policy_revision": deployment.revision}
    change(uow, row, phase="Gating", previous=champion, started_at=uow.now(), **policy)
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
    """The canary gets the step's weight: a new generation with a draw of its own. Raises Held."""
    _refuse_while_held(uow, row)
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
        paused_for=None,
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
    """Pointer and desired state move in one transaction: the version is what the deployment serves. Raises Held."""
    _refuse_while_held(uow, row)
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
    """The rollout ends; before the commit its pipeline run goes on, and the next one in the queue begins."""
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
    uow.has_ended(RolloutEnded(row))


def find_active(uow: UnitOfWork, deployment: str) -> RolloutRow | None:
    query = select(RolloutRow).where(
        RolloutRow.deployment == deployment,
        col(RolloutRow.phase).in_(ACTIVE_ROLLOUT_PHASES),
    )
    return uow.session.exec(query).first()


def find_next(uow: UnitOfWork, deployment: DeploymentRow) -> RolloutRow | None:
    """The oldest queued rollout, unless the queue is frozen."""
    if deployment.frozen:
        return None
    queued = select(RolloutRow).where(RolloutRow.deployment == deployment.name, RolloutRow.phase == "Queued")
    return uow.session.exec(queued.order_by(col(RolloutRow.created_at), col(RolloutRow.id))).first()


def start_next(uow: UnitOfWork, deployment: DeploymentRow) -> None:
    """The oldest queued rollout becomes the active one, unless there is one or the queue is frozen.

    One that its gates refuse has ended at once: then the next one does.
    """
    while find_active(uow, deployment.name) is None and (row := find_next(uow, deployment)) is not None:
        activate(uow, deployment, row)
