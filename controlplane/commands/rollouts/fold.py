"""The fold: one rollout's new observations and labels become evidence, and the evidence moves the rollout."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlmodel import col, func, or_, select, update

from controlplane.commands.rollouts.changes import announce_progress, change, decision_of, keep_decision
from controlplane.commands.rollouts.phases import (
    enter_step,
    find_next,
    give_way,
    holds_on,
    promote,
    roll_back,
    wait_while_held,
    withdraw,
)
from controlplane.domain.analysis.cohorts import Label, label_wait
from controlplane.domain.analysis.explain import decision_inputs
from controlplane.domain.analysis.fold import Batch, fold, labels_horizon
from controlplane.domain.analysis.state import NEVER, AnalysisState
from controlplane.domain.analysis.verdict import Assessment, assess
from controlplane.domain.rollout import Move, Situation, gains, next_move
from controlplane.errors import Conflict
from controlplane.projections.labellers import with_labellers
from controlplane.projections.rollouts import last_heard, step_number
from controlplane.store.serving_tables import (
    DecisionRow,
    DeploymentRow,
    GatewayBootRow,
    LabelRow,
    ObservationRow,
    RolloutRow,
)
from controlplane.store.unit_of_work import UnitOfWork
from schemas.rollouts import CanaryPolicy, RolloutPolicy
from schemas.serving import Observation

LABEL_DELAY_SECONDS: Final = 2
"""A label may be stored at a time and committed a little later: younger ones wait. They are in the gateways' clock, as
observations are: neither waits for the database's, which may be hours apart."""


@dataclass(frozen=True)
class Turn:
    """One look at one rollout."""

    uow: UnitOfWork
    deployment: DeploymentRow
    row: RolloutRow
    policy: CanaryPolicy
    state: AnalysisState
    assessment: Assessment
    now: float
    last_heard: float | None

    def decide(self, verdict: str, reason: str | None = None) -> DecisionRow:
        evidence = decision_inputs(self.policy, self.state, self.now, self.last_heard)
        inputs = with_labellers(self.uow.session, self.row.id, evidence)
        decision = decision_of("canary", verdict, reason or self.assessment.reason, inputs)
        return keep_decision(self.uow, self.row, decision)


def fold_rollout(uow: UnitOfWork, deployment: DeploymentRow, row: RolloutRow) -> None:
    """State, decision and facts in this one transaction; both rows are locked by the caller."""
    policy = RolloutPolicy.model_validate(row.policy).canary
    before = AnalysisState.model_validate(row.analysis)
    now = uow.now().timestamp()
    horizon = max(before.horizon, _horizon(uow, deployment.name, policy, now))
    state = fold(policy, before, _batch(uow, row.id, policy, before, horizon))
    _save(uow, row, before, state)
    heard = last_heard(uow.session, deployment.name)
    assessment = assess(policy, state, now, heard)
    turn = Turn(uow, deployment, row, policy, state, assessment, now, heard)
    note_fold_success(uow, row)
    situation = _situation(row, now)
    move = next_move(policy, assessment, situation)
    if gains(move, situation) and (holds := holds_on(uow, row)):
        wait_while_held(uow, row, assessment.verdict or MEANT[move], holds)
    else:
        MOVES[move](turn)


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


# --- what is read -----------------------------------------------------------------------------------------------------


def _horizon(uow: UnitOfWork, deployment: str, policy: CanaryPolicy, now: float) -> int:
    """The least watermark of the live boots; with none, time stands still.

    A replaced boot counts until it has been silent for its time, or its lost units came: they must not come too late.
    One that ended by itself does not.
    """
    since = datetime.fromtimestamp(now - policy.boot_silence_seconds, UTC)
    least = uow.session.exec(
        select(func.min(GatewayBootRow.watermark)).where(
            GatewayBootRow.deployment == deployment,
            col(GatewayBootRow.watermark_at) > since,
            col(GatewayBootRow.lost).is_(False),
        )
    ).one()
    return NEVER if least is None else least


def _batch(uow: UnitOfWork, rollout_id: UUID, policy: CanaryPolicy, state: AnalysisState, horizon: int) -> Batch:
    labels_until = horizon - LABEL_DELAY_SECONDS
    mature = labels_horizon(policy, state, horizon, labels_until)
    found = uow.session.exec(
        select(ObservationRow).where(
            ObservationRow.rollout_id == rollout_id, col(ObservationRow.second) > state.horizon
        )
    ).all()
    return Batch(
        horizon=horizon,
        observations=[_observation(entry) for entry in found if entry.second <= horizon],
        labels_until=labels_until,
        labels=_labels(uow, rollout_id, (state.labels_horizon, mature), label_wait(policy)),
        lost_boots=[str(entry.boot) for entry in found if entry.lost and _lost_under_canary(state, entry)],
    )


def _labels(uow: UnitOfWork, rollout_id: UUID, mature: tuple[int, int], wait: int) -> list[Label]:
    """Counted ones that fall due between two horizons: of newly mature seconds, and of older ones those that came
    while they were waited for. Each is read by one fold."""
    since, until = mature
    if until <= since:
        return []
    rows = uow.session.exec(
        select(LabelRow).where(
            LabelRow.rollout_id == rollout_id,
            col(LabelRow.counted).is_(True),
            col(LabelRow.second) <= until,
            col(LabelRow.stored_second) <= until + wait,
            or_(col(LabelRow.second) > since, col(LabelRow.stored_second) > since + wait),
        )
    )
    return [_label(row) for row in rows]


def _label(row: LabelRow) -> Label:
    key = row.unit if row.keyed else None
    return Label(row.generation, row.arm, row.wrong, row.second, row.stored_second, key)  # type: ignore[arg-type]


def _observation(row: ObservationRow) -> Observation:
    return Observation.model_validate({"boot": row.boot, "second": row.second, "generations": row.generations})


def _lost_under_canary(state: AnalysisState, row: ObservationRow) -> bool:
    ours = {entry.generation for entry in state.generations}
    return any(entry.generation in ours and entry.applied_weight > 0 for entry in _observation(row).generations)


def _save(uow: UnitOfWork, row: RolloutRow, before: AnalysisState, state: AnalysisState) -> None:
    """No new revision: a person's compare-and-swap is about what a person sees."""
    values: dict[str, object] = {"folded_at": uow.now()}
    if state != before:
        values |= {"analysis": state.model_dump(mode="json"), "horizon": state.horizon}
    saved = uow.execute(
        update(RolloutRow)
        .where(col(RolloutRow.id) == row.id, col(RolloutRow.revision) == row.revision)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if not saved:
        raise Conflict(f"rollout {row.id} is no longer at revision {row.revision}")
    uow.session.refresh(row)


# --- what is done -----------------------------------------------------------------------------------------------------


def _situation(row: RolloutRow, now: float) -> Situation:
    invalid = row.verdict == "INVALID" and row.paused_at is not None
    seconds = now - row.paused_at.timestamp() if invalid and row.paused_at else 0.0
    return Situation(row.phase, row.paused_for, row.verdict, row.weight, seconds)  # type: ignore[arg-type]


def _stay(_turn: Turn) -> None:
    """The evidence is kept; nothing follows from it yet."""


def _advance(turn: Turn) -> None:
    left = f"step {step_number(turn.row)} of {len(turn.policy.steps)} is left without harm"
    enter_step(turn.uow, turn.deployment, turn.row, turn.row.step + 1, turn.decide("ADVANCE", left).reason)


def _promote(turn: Turn) -> None:
    assert turn.assessment.verdict is not None
    promote(turn.uow, turn.deployment, turn.row, turn.decide(turn.assessment.verdict), verified=True)


def _roll_back(turn: Turn) -> None:
    assert turn.assessment.verdict is not None
    roll_back(turn.uow, turn.deployment, turn.row, turn.decide(turn.assessment.verdict))


def _hold(turn: Turn) -> None:
    _stand(turn, "INCONCLUSIVE", "inconclusive")


def _invalidate(turn: Turn) -> None:
    _stand(turn, "INVALID", turn.row.paused_for or "invalid")


def _stand(turn: Turn, verdict: str, paused_for: str) -> None:
    reason = turn.decide(verdict).reason
    change(
        turn.uow,
        turn.row,
        phase="Paused",
        paused_for=paused_for,
        verdict=verdict,
        paused_at=turn.uow.now(),
        reason=reason,
    )
    announce_progress(turn.uow, turn.row, reason)


def _withdraw(turn: Turn) -> None:
    reason = f"weight 0: {turn.assessment.reason}"
    turn.decide("INVALID", reason)
    if not turn.assessment.ends_by_itself and find_next(turn.uow, turn.deployment) is not None:
        give_way(turn.uow, turn.deployment, turn.row)
        return
    withdraw(turn.uow, turn.deployment, turn.row, reason)
    announce_progress(turn.uow, turn.row, reason)


def _recover(turn: Turn) -> None:
    """What stopped the ladder has ended by itself; somebody else's pause stays."""
    reason = turn.decide("VALID", "observations arrive again").reason
    if turn.row.paused_for != "invalid":
        verdict = "INCONCLUSIVE" if turn.row.paused_for == "inconclusive" else None
        change(turn.uow, turn.row, phase="Paused", verdict=verdict, reason=reason)
        announce_progress(turn.uow, turn.row, reason)
    elif turn.row.weight == 0:
        enter_step(turn.uow, turn.deployment, turn.row, turn.row.step, reason)
    else:
        change(turn.uow, turn.row, phase="Progressing", paused_for=None, verdict=None, reason=reason)
        announce_progress(turn.uow, turn.row, reason)


MEANT: Final[dict[Move, str]] = {"advance": "the next step", "recover": "the weight of its step"}
"""What waits where no verdict does."""
MOVES: Final[dict[Move, Callable[[Turn], None]]] = {
    "stay": _stay,
    "advance": _advance,
    "promote": _promote,
    "roll_back": _roll_back,
    "hold": _hold,
    "invalidate": _invalidate,
    "withdraw": _withdraw,
    "recover": _recover,
}
