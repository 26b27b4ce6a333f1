"""The ledger of units: who arrived in which second, how it ended, and what may be told about it."""

from collections.abc import Iterator
from uuid import UUID

from schemas.serving import Observation, UnitEnd
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.second import Arrival, Second, Unit


class Ledger:
    """Not thread-safe: it lives on the event loop."""

    def __init__(self, boot: UUID, clock: BootClock, journal: Journal) -> None:
        self._boot, self._clock, self._journal = boot, clock, journal
        self._seconds: dict[int, Second] = {}
        self._next = clock.first_second

    def weight_in_force(self, second: int, generation: int, weight: float) -> float:
        """The weight of this generation in this second: the first one asked holds until the second is over.

        One number per generation and second is what an observation can say, so a change waits for the next second.
        """
        return self._second(second).serve(generation, weight)

    def weight_shown(self, second: int, generation: int, weight: float) -> float:
        """As `weight_in_force`, for those who only look: nobody has been served by this answer."""
        known = self._seconds.get(second)
        in_force = None if known is None else known.weight(generation)
        return weight if in_force is None else in_force

    def begin(self, arrival: Arrival, deadline: float) -> Unit:
        unit = Unit(arrival, deadline, self._journal.start(arrival))
        self._second(arrival.second).begin(unit)
        return unit

    def extend(self, unit: Unit, deadline: float) -> bool:
        """The answer has begun: a later deadline holds, unless the earlier one has passed."""
        if unit.end is not None or self._clock.now() >= unit.deadline:
            return False
        unit.deadline = deadline
        return True

    def end(self, unit: Unit, end: UnitEnd) -> UnitEnd:
        """Close a unit once and say as what it counts: at or past its deadline it is always an error."""
        if unit.end is None:
            counted: UnitEnd = "error" if self._clock.now() >= unit.deadline else end
            self._seconds[unit.arrival.second].end(unit, counted)
            self._journal.end(unit.number, counted)
            return counted
        return unit.end

    def seal(self, generation: int | None, weight: float) -> Iterator[Observation]:
        """Each past second whose units have all ended or met their deadline, in order and without gaps.

        A second without arrivals says which generation and weight would have met them.
        """
        while self._clock.start_of(self._next + 1) <= self._clock.now():
            second = self._seconds.get(self._next, Second())
            if not self._settle(second):
                return
            if generation and second.empty:
                second.serve(generation, weight)
            observation = Observation(boot=self._boot, second=self._next, generations=second.told())
            self._seconds.pop(self._next, None)
            self._next += 1
            yield observation

    def _settle(self, second: Second) -> bool:
        now = self._clock.now()
        for unit in second.units:
            if unit.end is None and unit.deadline <= now:
                self.end(unit, "error")
        return all(unit.end is not None for unit in second.units)

    def _second(self, second: int) -> Second:
        return self._seconds.setdefault(second, Second())
