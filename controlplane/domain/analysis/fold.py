"""The fold: observations and labels up to a horizon become evidence, the same however they were batched."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, fsum
from typing import NamedTuple

from controlplane.domain.analysis.blocks import Feed, advance
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import FINAL_VERDICTS, AnalysisState, GenerationState, MetricState, StepState
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, SessionUnit

Seconds = dict[int, dict[int, Counts]]
_LabelCell = tuple[int, int, Arm, bool]
"""Storing second, generation, arm, wrong."""


class Label(NamedTuple):
    """A counted unit's first label, stored at a database time (epoch seconds); `key`: its session's key hash."""

    generation: int
    arm: Arm
    wrong: bool
    stored_at: float
    key: str | None = None
    number: int = 1
    """How many alike, where there is no key."""


@dataclass(frozen=True)
class Batch:
    """Everything stored up to `horizon` (arrival seconds) and `labels_until` (storing seconds), in any order."""

    horizon: int
    observations: Sequence[Observation] = ()
    labels_until: int = -1
    labels: Sequence[Label] = ()
    lost_boots: Sequence[str] = ()


def fold(policy: CanaryPolicy, state: AnalysisState, batch: Batch) -> AnalysisState:
    """Advance to the batch's horizons: what is at or below the state's own changes nothing, what is beyond waits."""
    if state.verdict in FINAL_VERDICTS:
        return state
    horizon = max(batch.horizon, state.horizon)
    labels_horizon = max(batch.labels_until, state.labels_horizon)
    intake = _Intake(state)
    intake.take(batch, horizon, labels_horizon)
    arrivals = Feed(state.horizon, horizon, intake.arrivals, intake.steps_of, generations_end=True)
    labels = Feed(state.labels_horizon, labels_horizon, intake.labels, intake.steps_of, generations_end=False)
    generations, peak = _sample_ratio(state, intake.arrivals)
    return state.model_copy(
        update={
            "horizon": horizon,
            "labels_horizon": labels_horizon,
            "generations": generations,
            "steps": intake.steps(),
            "metrics": tuple(_metric(policy, metric, arrivals, labels) for metric in state.metrics),
            "sample_ratio_peak": peak,
            "unfolded": intake.unfolded,
            "lost_boots": tuple(sorted({*state.lost_boots, *batch.lost_boots})),
        }
    )


def _metric(policy: CanaryPolicy, metric: MetricState, arrivals: Feed, labels: Feed) -> MetricState:
    return advance(policy, metric, arrivals if metric.name == "error" else labels)


def _in_order(observations: Sequence[Observation], since: int, until: int) -> Iterator[tuple[int, GenerationSecond]]:
    """By (second, boot), which is the order in which a session's key is first met."""
    for observation in sorted(observations, key=lambda entry: (entry.second, str(entry.boot))):
        if since < observation.second <= until:
            for seen in sorted(observation.generations, key=lambda entry: (entry.generation, entry.applied_weight)):
                yield observation.second, seen


def _label_order(label: Label) -> tuple[float, int, str, bool, str]:
    """By storing time; the rest makes ties fall the same way however the labels were read."""
    return label.stored_at, label.generation, label.arm, label.wrong, label.key or ""


def _sample_ratio(state: AnalysisState, arrivals: Seconds) -> tuple[tuple[GenerationState, ...], float]:
    """The counts of each generation, and the largest Bayes factor on the way: asked after every second."""
    generations = {entry.generation: entry for entry in state.generations}
    factors = {entry.generation: entry.log_bayes_factor() for entry in state.generations}
    peak = state.sample_ratio_peak
    for _, present in sorted(arrivals.items()):
        for generation, counts in present.items():
            generations[generation] = generations[generation].plus(counts)
            factors[generation] = generations[generation].log_bayes_factor()
        peak = max(peak, fsum(factors.values()))
    return tuple(generations.values()), peak


@dataclass
class _Step:
    first_second: int | None
    keys: set[str] = field(default_factory=set)
    label_keys: set[str] = field(default_factory=set)


class _Intake:
    """Sorts what came in: which units count, under which generation, and which are only recorded."""

    def __init__(self, state: AnalysisState) -> None:
        self._generations: Mapping[int, GenerationState] = {entry.generation: entry for entry in state.generations}
        self._steps = {
            entry.step: _Step(entry.first_second, set(entry.keys), set(entry.label_keys)) for entry in state.steps
        }
        self.steps_of = {entry.generation: entry.step for entry in state.generations}
        self.arrivals: Seconds = {}
        self.labels: Seconds = {}
        self.unfolded = state.unfolded
        self._since, self._labels_since = state.horizon, state.labels_horizon

    def take(self, batch: Batch, horizon: int, labels_horizon: int) -> None:
        for second, seen in _in_order(batch.observations, self._since, horizon):
            self._observe(second, seen)
        due = [label for label in batch.labels if self._labels_since < floor(label.stored_at) <= labels_horizon]
        units: Counter[_LabelCell] = Counter()
        for label in self._counted(due):
            units[floor(label.stored_at), label.generation, label.arm, label.wrong] += label.number
        for (second, generation, arm, wrong), number in units.items():
            _add(self.labels, second, generation, _arm_counts(arm, number, number if wrong else 0))

    def _observe(self, second: int, seen: GenerationSecond) -> None:
        generation = self._generations.get(seen.generation)
        if generation is None:
            return
        if seen.applied_weight != generation.weight:
            self.unfolded = self.unfolded.plus(_counts(seen.stable, seen.canary, seen.sessions))
            return
        step = self._steps[generation.step]
        fresh = [unit for unit in seen.sessions if _first(step.keys, unit.key_hash)]
        counts = _counts(seen.stable, seen.canary, fresh)
        if counts.units and step.first_second is None:
            step.first_second = second
        _add(self.arrivals, second, seen.generation, counts)

    def _counted(self, due: Sequence[Label]) -> Iterator[Label]:
        """Every label that counts; order matters only to those with a key."""
        keyed = sorted((label for label in due if label.key is not None), key=_label_order)
        for label in (*(label for label in due if label.key is None), *keyed):
            step = self.steps_of.get(label.generation)
            if step is None or (label.key is not None and not _first(self._steps[step].label_keys, label.key)):
                continue
            yield label

    def steps(self) -> tuple[StepState, ...]:
        return tuple(
            StepState(
                step=number,
                first_second=step.first_second,
                keys=tuple(sorted(step.keys)),
                label_keys=tuple(sorted(step.label_keys)),
            )
            for number, step in self._steps.items()
        )


def _first(keys: set[str], key: str) -> bool:
    """Whether the key is met for the first time; from then on it is known."""
    if key in keys:
        return False
    keys.add(key)
    return True


def _counts(stable: ArmCounts, canary: ArmCounts, sessions: Sequence[SessionUnit]) -> Counts:
    """Unkeyed units and keyed ones together."""
    total = Counts(stable.units, stable.error, canary.units, canary.error)
    for (arm, error), units in Counter((unit.arm, unit.error) for unit in sessions).items():
        total = total.plus(_arm_counts(arm, units, units if error else 0))
    return total


def _arm_counts(arm: Arm, units: int, events: int) -> Counts:
    return Counts(units, events, 0, 0) if arm == "stable" else Counts(0, 0, units, events)


def _add(seconds: Seconds, second: int, generation: int, counts: Counts) -> None:
    present = seconds.setdefault(second, {})
    present[generation] = present.get(generation, Counts()).plus(counts)
