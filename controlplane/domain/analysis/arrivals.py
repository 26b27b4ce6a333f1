"""Seconds of arrival become blocks: they close by time and by the counts of both arms, never by outcomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import AnalysisState, Cohort, OpenBlock, Window
from controlplane.domain.analysis.unit_counts import Arrived, sum_arrived
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm

Seconds = dict[int, dict[int, Arrived]]
"""By second and generation."""
NOBODY: Final[Mapping[int, Arrived]] = {}


@dataclass
class Draft:
    """A block while it is being folded: its units by window, and the labels that came for them."""

    generation: int
    opened: int
    half_tick: float
    closed: int | None = None
    arrived: dict[int, Arrived] = field(default_factory=dict)
    labelled: dict[int, Counts] = field(default_factory=dict)

    def add(self, second: int, found: Arrived) -> None:
        window = self._window(second)
        self.arrived[window] = self.arrived.get(window, Arrived()).plus(found)

    def label(self, second: int, counts: Counts) -> None:
        window = self._window(second)
        self.labelled[window] = self.labelled.get(window, Counts()).plus(counts)

    def holds(self, second: int) -> bool:
        return self.opened <= second and (self.closed is None or second <= self.closed)

    @property
    def total(self) -> Arrived:
        return sum_arrived(self.arrived.values())

    @property
    def both_arms(self) -> bool:
        total = self.total
        return total.stable_units > 0 and total.canary_units > 0

    def windows(self) -> tuple[Window, ...]:
        numbers = sorted({*self.arrived, *self.labelled})
        return tuple(Window(one, self.arrived.get(one, Arrived()), self.labelled.get(one, Counts())) for one in numbers)

    def _window(self, second: int) -> int:
        return int((second - self.opened) / self.half_tick)


def draft(block: OpenBlock | Cohort, half_tick: float) -> Draft:
    closed = block.closed if isinstance(block, Cohort) else None
    arrived = {window.number: window.arrived for window in block.windows}
    labelled = {window.number: window.labelled for window in block.windows}
    return Draft(block.generation, block.opened, half_tick, closed, arrived, labelled)


def arm_counts(arm: Arm, units: int, events: int) -> Counts:
    return Counts(units, events, 0, 0) if arm == "stable" else Counts(0, 0, units, events)


class Arrivals:
    """The open blocks of every generation, second by second: where one fold ended and the next began is not seen."""

    def __init__(self, policy: CanaryPolicy, state: AnalysisState) -> None:
        self._tick = policy.tick_seconds
        self.open = {block.generation: draft(block, self._tick / 2) for block in state.open}
        self.newest, self._horizon = state.newest, state.horizon
        self.dropped: list[Draft] = []

    def advance(self, seconds: Seconds, until: int) -> Iterator[Draft]:
        """The blocks that close up to this second, in order."""
        for second in self._seconds(seconds, until):
            present = seconds.get(second, NOBODY)
            self._add(second, present)
            yield from self._due(second)
            yield from self._over(second, present)

    def _seconds(self, seconds: Seconds, until: int) -> range:
        """Every second when a block may fall due, else from the first one that holds anything."""
        first = self._horizon + 1 if self.open else min(seconds, default=until + 1)
        return range(first, until + 1)

    def _add(self, second: int, present: Mapping[int, Arrived]) -> None:
        self.newest = max(self.newest, *present) if present else self.newest
        for generation, found in sorted(present.items()):
            if found.units:
                opened = Draft(generation, second, self._tick / 2)
                self.open.setdefault(generation, opened).add(second, found)

    def _due(self, second: int) -> Iterator[Draft]:
        for generation, block in sorted(self.open.items()):
            if second + 1 - block.opened >= self._tick and block.both_arms:
                yield self._close(generation, second)

    def _over(self, second: int, present: Mapping[int, Arrived]) -> Iterator[Draft]:
        """A generation is over once a newer one was met and a whole second passed without it."""
        for generation, block in sorted(self.open.items()):
            if generation >= self.newest or generation in present:
                continue
            if block.both_arms:
                yield self._close(generation, second)
            else:
                self.dropped.append(self.open.pop(generation))

    def _close(self, generation: int, second: int) -> Draft:
        block = self.open.pop(generation)
        block.closed = second
        return block
