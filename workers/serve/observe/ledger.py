"""The ledger of units: who arrived in which second, how it ended, and what may be told about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, SessionUnit
from workers.serve.observe.clock import BootClock
from workers.serve.observe.journal import Arrival, Journal


@dataclass(eq=False)
class Unit:
    """One randomised request, however many rows it has."""

    arrival: Arrival
    deadline: float
    number: int
    open: bool = True
    error: bool = False


@dataclass
class _Cell:
    """One generation within one second; its weight holds for the whole second."""

    weight: float
    units: dict[Arm, int] = field(default_factory=lambda: {"stable": 0, "canary": 0})
    errors: dict[Arm, int] = field(default_factory=lambda: {"stable": 0, "canary": 0})
    sessions: dict[str, Unit] = field(default_factory=dict)

    def summary(self, generation: int) -> GenerationSecond:
        return GenerationSecond(
            generation=generation,
            applied_weight=self.weight,
            stable=ArmCounts(units=self.units["stable"], error=self.errors["stable"]),
            canary=ArmCounts(units=self.units["canary"], error=self.errors["canary"]),
            sessions=tuple(
                SessionUnit(key_hash=key, arm=unit.arrival.arm, error=unit.error) for key, unit in self.sessions.items()
            ),
        )


@dataclass
class _Second:
    cells: dict[int, _Cell] = field(default_factory=dict)
    units: list[Unit] = field(default_factory=list)


class Ledger:
    """Not thread-safe: it lives on the event loop."""

    def __init__(self, boot: UUID, clock: BootClock, journal: Journal) -> None:
        self._boot, self._clock, self._journal = boot, clock, journal
        self._seconds: dict[int, _Second] = {}
        self._next = clock.first_second

    def weight_in_force(self, second: int, generation: int, weight: float) -> float:
        """The weight of this generation in this second: the first one asked holds until the second is over.

        One number per generation and second is what an observation can say, so a change waits for the next second.
        """
        return self._cell(second, generation, weight).weight

    def weight_shown(self, second: int, generation: int, weight: float) -> float:
        """As `weight_in_force`, for those who only look: nobody has been served by this answer."""
        cell = self._seconds.get(second, _Second()).cells.get(generation)
        return weight if cell is None else cell.weight

    def begin(self, arrival: Arrival, deadline: float) -> Unit:
        unit = Unit(arrival, deadline, self._journal.start(arrival))
        cell = self._cell(arrival.second, arrival.generation, arrival.weight)
        if arrival.key_hash is None:
            cell.units[arrival.arm] += 1
        else:
            cell.sessions.setdefault(arrival.key_hash, unit)  # a key counts at its first exposure
        self._seconds[arrival.second].units.append(unit)
        return unit

    def end(self, unit: Unit, *, error: bool) -> bool:
        """Close a unit once and say whether it counts as an error: at or past its deadline it always does."""
        if not unit.open:
            return unit.error
        unit.open = False
        unit.error = error or self._clock.now() >= unit.deadline
        arrival = unit.arrival
        if unit.error and arrival.key_hash is None:
            self._seconds[arrival.second].cells[arrival.generation].errors[arrival.arm] += 1
        self._journal.end(unit.number)
        return unit.error

    def seal(self, generation: int | None, weight: float) -> Iterator[Observation]:
        """Each past second whose units have all ended or met their deadline, in order and without gaps.

        A second without arrivals says which generation and weight would have met them.
        """
        while self._clock.start_of(self._next + 1) <= self._clock.now():
            second = self._seconds.get(self._next, _Second())
            if not self._settle(second):
                return
            if generation and not second.cells:
                second.cells[generation] = _Cell(weight)
            summaries = tuple(cell.summary(number) for number, cell in sorted(second.cells.items()))
            observation = Observation(boot=self._boot, second=self._next, generations=summaries)
            self._seconds.pop(self._next, None)
            self._next += 1
            yield observation

    def _settle(self, second: _Second) -> bool:
        now = self._clock.now()
        for unit in second.units:
            if unit.open and unit.deadline <= now:
                self.end(unit, error=True)
        return not any(unit.open for unit in second.units)

    def _cell(self, second: int, generation: int, weight: float) -> _Cell:
        cells = self._seconds.setdefault(second, _Second()).cells
        return cells.setdefault(generation, _Cell(weight))
