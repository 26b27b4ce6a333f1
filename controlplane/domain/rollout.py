"""The rollout's states and moves: the only place that says what may follow what."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from controlplane.domain.analysis.verdict import Assessment
from controlplane.errors import Conflict
from schemas.phases import ACTIVE_ROLLOUT_PHASES, RolloutPhase
from schemas.rollouts import CanaryPolicy, CanaryVerdict

TRANSITIONS: Final[dict[RolloutPhase, frozenset[RolloutPhase]]] = {
    "Queued": frozenset({"Gating", "Aborted", "Superseded"}),
    "Gating": frozenset({"Verifying", "Aborted"}),
    "Verifying": frozenset({"Progressing", "Promoted", "Aborted"}),
    "Progressing": frozenset({"Progressing", "Paused", "Promoted", "RolledBack", "Aborted"}),
    "Paused": frozenset({"Paused", "Progressing", "Promoted", "RolledBack", "Aborted"}),
    "Promoted": frozenset(),
    "RolledBack": frozenset(),
    "Aborted": frozenset(),
    "Superseded": frozenset(),
}
Hold = Literal["operator", "inconclusive", "invalid"]
"""Why a rollout is Paused. What an auditor holds is another thing: see `holds.py`."""
Verb = Literal["pause", "resume", "promote", "abort", "hold", "release-hold"]
VERBS: Final[dict[Verb, frozenset[RolloutPhase]]] = {
    "pause": frozenset({"Progressing"}),
    "resume": frozenset({"Paused"}),
    "promote": frozenset({"Progressing", "Paused"}),
    "abort": ACTIVE_ROLLOUT_PHASES | {"Queued"},
    "hold": ACTIVE_ROLLOUT_PHASES | {"Queued"},
}
ANALYSED: Final[frozenset[RolloutPhase]] = frozenset({"Progressing", "Paused"})
Move = Literal["stay", "advance", "promote", "roll_back", "hold", "invalidate", "withdraw", "recover"]
"""hold: INCONCLUSIVE, a person decides; withdraw: weight 0 after INVALID; recover: it is valid again."""
LONGEST_PAUSE_SECONDS: Final = 10.0
"""A third of what a lease's renewal forgives."""
LONGEST_RETRY_SECONDS: Final = 60.0


def fold_pause(age_seconds: float) -> float:
    """How long a rollout rests between two folds: at every look in its first hour, then up to a tick.

    Hour by hour its state holds more blocks and costs more to read and to write, while evidence moves by whole blocks.
    A fold gives the same however observations are batched.
    """
    hours = age_seconds / 3600
    return min(LONGEST_PAUSE_SECONDS, hours) if hours > 1 else 0.0


def retry_pause(failures: int) -> float:
    """How long a rollout rests after so many folds in a row that failed; its canary's lease lapses meanwhile."""
    return min(LONGEST_RETRY_SECONDS, 2.0 ** min(failures, 10))


def check_transition(phase: RolloutPhase, to: RolloutPhase) -> None:
    if to not in TRANSITIONS[phase]:
        raise Conflict(f"a rollout that is {phase} cannot become {to}")


def check_verb(verb: Verb, phase: RolloutPhase) -> None:
    """Raises Conflict, saying in which phases a person may ask for that."""
    if phase not in VERBS[verb]:
        raise Conflict(f"the rollout is {phase}: {verb} is possible while it is {' or '.join(sorted(VERBS[verb]))}")


@dataclass(frozen=True)
class Situation:
    """What a rollout under analysis stands at."""

    phase: RolloutPhase
    hold: Hold | None
    verdict: CanaryVerdict | None
    weight: float
    invalid_seconds: float
    """Since the verdict INVALID; 0 without."""


def next_move(policy: CanaryPolicy, assessment: Assessment, situation: Situation) -> Move:
    """What the evidence asks for now. While it is Paused only harm and validity are acted upon: the ladder stands."""
    if assessment.verdict == "HARM":
        return "roll_back"
    if assessment.verdict == "INVALID":
        return _when_invalid(policy, assessment, situation)
    if situation.verdict == "INVALID":
        return "recover"
    if situation.phase == "Paused":
        return "stay"
    if assessment.verdict == "SAFE":
        return "promote"
    if assessment.verdict == "INCONCLUSIVE":
        return INCONCLUSIVE[policy.on_inconclusive]
    return "advance" if assessment.ladder.may_leave and not assessment.ladder.last else "stay"


def gains(move: Move, situation: Situation) -> bool:
    """Does it give the version more traffic? Such a move waits while an auditor holds the rollout."""
    from_nothing = move == "recover" and situation.hold == "invalid" and situation.weight == 0
    return move in ("advance", "promote") or from_nothing


def asked_for(move_verdict: str, assessment: Assessment) -> bool:
    """Does an assessment made again ask for what was decided then?"""
    if move_verdict == "ADVANCE":
        return assessment.verdict is None and assessment.ladder.may_leave and not assessment.ladder.last
    if move_verdict == "VALID":
        return assessment.verdict != "INVALID"
    return assessment.verdict == move_verdict


@dataclass(frozen=True)
class Served:
    """The stable version of one generation, and whether a rollback or a release made it so."""

    version: UUID
    by_rollback: bool


def predecessor(history: Iterable[Served]) -> UUID | None:
    """The version that a rollback goes back to, from every generation's stable version, oldest first.

    A release lays its version on what serves, also one that served before: after A, B and a release of A it is B. A
    rollback takes versions off: after A, B, C and a rollback to B it is A, not the C that was left. Only where its
    target was taken off before is it laid on, as by a release.
    """
    stack: list[UUID] = []
    for served in history:
        if served.by_rollback and served.version in stack:
            while stack[-1] != served.version:
                stack.pop()
        elif stack[-1:] != [served.version]:
            stack.append(served.version)
    return stack[-2] if len(stack) > 1 else None


INCONCLUSIVE: Final[dict[str, Move]] = {"hold": "hold", "rollback": "roll_back", "promote": "promote"}


def _when_invalid(policy: CanaryPolicy, assessment: Assessment, situation: Situation) -> Move:
    if situation.verdict != "INVALID":
        return "invalidate"
    # a canary that takes gateways down with it gets no grace
    spent = assessment.rule == "lost_boots" or situation.invalid_seconds >= policy.invalid_grace_seconds
    return "withdraw" if situation.weight > 0 and spent else "stay"
