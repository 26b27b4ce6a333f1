"""Sorts what came in: which units and labels count, under which generation, and which are only recorded."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controlplane.domain.analysis.arrivals import Seconds
from controlplane.domain.analysis.cohorts import Label
from controlplane.domain.analysis.state import AnalysisState, GenerationState, StepState
from controlplane.domain.analysis.unit_counts import Arrived, arrived, arrived_at
from schemas.serving import GenerationSecond, Observation, SessionUnit


def _in_order(observations: Sequence[Observation], since: int, until: int) -> Iterator[tuple[int, GenerationSecond]]:
    """By (second, boot), which is the order in which a session's key is first met."""
    for observation in sorted(observations, key=lambda entry: (entry.second, str(entry.boot))):
        if since < observation.second <= until:
            for seen in sorted(observation.generations, key=lambda entry: (entry.generation, entry.applied_weight)):
                yield observation.second, seen


@dataclass
class _Step:
    before: StepState
    first_second: int | None
    keys: dict[str, int]

    def after(self) -> StepState:
        """Keys are only ever added."""
        if self.first_second == self.before.first_second and len(self.keys) == len(self.before.keys):
            return self.before
        return self.before.model_copy(
            update={"first_second": self.first_second, "keys": tuple(sorted(self.keys.items()))}
        )


class Intake:
    """One fold's observations and labels, and the keys that the steps have met so far."""

    def __init__(self, state: AnalysisState) -> None:
        self._generations: Mapping[int, GenerationState] = {entry.generation: entry for entry in state.generations}
        self._steps = {entry.step: _Step(entry, entry.first_second, dict(entry.keys)) for entry in state.steps}
        self.steps_of = {entry.generation: entry.step for entry in state.generations}
        self.arrivals: Seconds = {}
        self.unfolded = state.unfolded
        self._since = state.horizon

    def take(self, observations: Sequence[Observation], horizon: int) -> None:
        for second, seen in _in_order(observations, self._since, horizon):
            self._observe(second, seen)

    def counted(self, labels: Iterable[Label]) -> Iterator[Label]:
        """Labels of entered generations; of a session, those of the second in which its step first met it."""
        for label in labels:
            step = self.steps_of.get(label.generation)
            if step is None:
                continue
            if label.key is None or self._steps[step].keys.get(label.key) == label.second:
                yield label

    def steps(self) -> tuple[StepState, ...]:
        return tuple(step.after() for step in self._steps.values())

    def _observe(self, second: int, seen: GenerationSecond) -> None:
        generation = self._generations.get(seen.generation)
        if generation is None:
            return
        if seen.applied_weight != generation.weight:
            self.unfolded = self.unfolded.plus(_arrived(seen, seen.sessions))
            return
        step = self._steps[generation.step]
        fresh = [unit for unit in seen.sessions if _first(step.keys, unit.key_hash, second)]
        found = _arrived(seen, fresh)
        if found.units and step.first_second is None:
            step.first_second = second
        _add(self.arrivals, second, seen.generation, found)


def _first(keys: dict[str, int], key: str, second: int) -> bool:
    """Whether the key is met for the first time; from then on it is known."""
    if key in keys:
        return False
    keys[key] = second
    return True


def _arrived(seen: GenerationSecond, sessions: Sequence[SessionUnit]) -> Arrived:
    """Unkeyed units and keyed ones together."""
    total = arrived(seen.stable, seen.canary)
    for (arm, end), units in Counter((unit.arm, unit.end) for unit in sessions).items():
        total = total.plus(arrived_at(arm, end, units))
    return total


def _add(seconds: Seconds, second: int, generation: int, found: Arrived) -> None:
    present = seconds.setdefault(second, {})
    present[generation] = present.get(generation, Arrived()).plus(found)
