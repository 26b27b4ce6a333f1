"""The control plane of an imagined rollout: what commands keep in the database is kept here, all else is the product's.

`fold`, `assess` and `next_move` are the product's own. What a second's acceptance, a boot's end and a lease's renewal
do is told again without a database (`commands/serving/observations.py`, `commands/rollouts/fold.py`); an integration
test plays the same seconds into both.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from controlplane.domain.analysis.cohorts import Label, due_second, label_wait
from controlplane.domain.analysis.fold import Batch, fold, labels_horizon
from controlplane.domain.analysis.state import NEVER, AnalysisState, begin, enter
from controlplane.domain.analysis.verdict import Assessment, Rule, assess
from controlplane.domain.rollout import Hold, Move, Situation, fold_pause, next_move
from schemas.phases import RolloutPhase
from schemas.rollouts import CanaryPolicy, CanaryVerdict
from schemas.serving import LostUnits, Observation

LABEL_DELAY_SECONDS: Final = 2


class Desired(NamedTuple):
    """A generation as gateways know it; `weight` 0: it has no canary."""

    generation: int
    step: int
    weight: float
    since: int


@dataclass
class Boot:
    first_second: int
    watermark: int
    watermark_at: float
    lost: bool = False


@dataclass
class End:
    """The move that ended the rollout, or that only a new one can follow."""

    verdict: CanaryVerdict
    rule: Rule
    second: int


@dataclass
class ControlPlane:
    policy: CanaryPolicy
    fold_seconds: int
    end: End | None = None
    late_units: int = 0
    invalid_once: bool = False
    state: AnalysisState = field(init=False)
    desired: list[Desired] = field(default_factory=list)
    boots: dict[UUID, Boot] = field(default_factory=dict)
    _kept: list[tuple[Observation, bool]] = field(default_factory=list)
    _labels: dict[int, list[Label]] = field(default_factory=lambda: defaultdict(list))
    _folded_at: int = 0
    _phase: RolloutPhase = "Progressing"
    _hold: Hold | None = None
    _verdict: CanaryVerdict | None = None
    _invalid_since: float = 0.0

    def __post_init__(self) -> None:
        self.state = begin(self.policy, started_at=0.0)
        self._enter(0, 0)

    # --- what gateways and users say ----------------------------------------------------------------------------------

    def register(self, boot: UUID, first_second: int, now: int) -> None:
        self.boots[boot] = Boot(first_second, first_second - 1, now)

    def observe(self, observation: Observation, now: int) -> float:
        """Seconds of the canary's lease; 0 where it is not renewed."""
        boot, second = self.boots[observation.boot], observation.second
        if second <= self.state.horizon:
            self.late_units += sum(cell.stable.units + cell.canary.units for cell in observation.generations)
            boot.watermark = max(second, boot.watermark)
            return 0.0
        self._kept.append((observation, False))
        boot.watermark, boot.watermark_at = second, now
        return self.policy.lease_seconds if self.desired[-1].weight > 0 else 0.0

    def lose(self, lost: LostUnits) -> None:
        """Behind the horizon: an error that came late is not to be censored."""
        boot = self.boots[lost.boot]
        boot.lost = True
        earliest = 1 + max(boot.watermark, self.state.horizon)
        for second in lost.seconds:
            if second.second > boot.watermark:
                moved = second.model_copy(update={"second": max(second.second, earliest)})
                self._kept.append((moved, second.unfinished))

    def label(self, label: Label) -> None:
        """Kept under the second at whose maturity the fold asks for it."""
        if label.number:
            self._labels[due_second(label, label_wait(self.policy))].append(label)

    # --- what the reconciler does -------------------------------------------------------------------------------------

    def turn(self, now: int) -> None:
        if now - self._folded_at >= max(self.fold_seconds, fold_pause(now)):
            self._folded_at = now
            self._fold(now)

    def _fold(self, now: int) -> None:
        self.state = fold(self.policy, self.state, self._batch(now))
        heard = [boot.watermark_at for boot in self.boots.values() if boot.watermark >= boot.first_second]
        assessment = assess(self.policy, self.state, float(now), max(heard, default=None))
        invalid_seconds = now - self._invalid_since if self._verdict == "INVALID" else 0.0
        situation = Situation(self._phase, self._hold, self._verdict, self.desired[-1].weight, invalid_seconds)
        self._act(next_move(self.policy, assessment, situation), assessment, now)

    def _batch(self, now: int) -> Batch:
        horizon = max(self.state.horizon, self._horizon(now))
        due = [observation for observation, _ in self._kept if observation.second <= horizon]
        lost = [str(entry.boot) for entry, is_lost in self._kept if is_lost and self._under_canary(entry)]
        self._kept = [kept for kept in self._kept if kept[0].second > horizon]
        until = horizon - LABEL_DELAY_SECONDS
        mature = labels_horizon(self.policy, self.state, horizon, until)
        ready = [second for second in self._labels if second <= mature]
        labels = [label for second in sorted(ready) for label in self._labels.pop(second)]
        return Batch(horizon, due, until, labels, lost)

    def _horizon(self, now: int) -> int:
        """The least watermark of the live boots; with none, time stands still."""
        since = now - self.policy.boot_silence_seconds
        live = (boot.watermark for boot in self.boots.values() if boot.watermark_at > since and not boot.lost)
        return min(live, default=NEVER)

    def _under_canary(self, observation: Observation) -> bool:
        ours = {entry.generation for entry in self.state.generations}
        return any(cell.generation in ours and cell.applied_weight > 0 for cell in observation.generations)

    def _act(self, move: Move, assessment: Assessment, now: int) -> None:
        if move in ENDS or (move == "invalidate" and not assessment.ends_by_itself):
            assert assessment.verdict is not None
            self.end = End(assessment.verdict, assessment.rule, now)
        elif move in ACTS:
            ACTS[move](self, now)

    def _advance(self, now: int) -> None:
        self._enter(self.desired[-1].step + 1, now)

    def _invalidate(self, now: int) -> None:
        self.invalid_once = True
        self._phase, self._hold, self._verdict, self._invalid_since = "Paused", "invalid", "INVALID", now

    def _withdraw(self, now: int) -> None:
        last = self.desired[-1]
        self.desired.append(Desired(last.generation + 1, last.step, 0.0, now))

    def _recover(self, now: int) -> None:
        self._phase, self._hold, self._verdict = "Progressing", None, None
        if self.desired[-1].weight == 0:
            self._enter(self.desired[-1].step, now)

    def _enter(self, step: int, now: int) -> None:
        generation, weight = len(self.desired) + 1, self.policy.steps[step]
        self.desired.append(Desired(generation, step, weight, now))
        self.state = enter(self.state, generation, step, weight)


ENDS: Final[frozenset[Move]] = frozenset({"promote", "roll_back", "hold"})
ACTS: Final[dict[Move, Callable[[ControlPlane, int], None]]] = {
    "advance": ControlPlane._advance,
    "invalidate": ControlPlane._invalidate,
    "withdraw": ControlPlane._withdraw,
    "recover": ControlPlane._recover,
}
