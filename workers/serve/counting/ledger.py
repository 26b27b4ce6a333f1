"""The ledger of units: who arrived in which second, how it ended, and what may be told about it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from schemas.serving import Arm, ArmCounts, GenerationSecond, Observation, SessionUnit, UnitEnd
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Arrival, Journal


@dataclass(eq=False)
class Unit:
    """One randomised request, however many rows it has."""

    arrival: Arrival
    deadline: float
    number: int
    end: UnitEnd | None = None
    """None: it has not ended."""


@dataclass
class _Cell:
    """One generation within one second; its weight holds for the whole second."""

    weight: float
    units: Counter[Arm] = field(default_factory=Counter)
    ends: Counter[tuple[Arm, UnitEnd]] = field(default_factory=Counter)
    sessions: dict[str, Unit] = field(default_factory=dict)

    def summary(self, generation: int) -> GenerationSecond:
        return GenerationSecond(
            generation=generation,
            applied_weight=self.weight,
            stable=self._arm("stable"),
            canary=self._arm("canary"),
            sessions=tuple(
                SessionUnit(key_hash=key, arm=unit.arrival.arm, end=unit.end or "error")
                for key, unit in self.sessions.items()
            ),
        )

    def _arm(self, arm: Arm) -> ArmCounts:
        return ArmCounts(units=self.units[arm], error=self.ends[arm, "error"], abandoned=self.ends[arm, "abandoned"])


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

    def extend(self, unit: Unit, deadline: float) -> bool:
        """The answer has begun: a later deadline holds, unless the earlier one has passed."""
        if unit.end is not None or self._clock.now() >= unit.deadline:
            return False
        unit.deadline = deadline
        return True

    def end(self, unit: Unit, end: UnitEnd) -> UnitEnd:
        """Close a unit once and say as what it counts: at or past its deadline it is always an error."""
        if unit.end is None:
            unit.end = "error" if self._clock.now() >= unit.deadline else end
            arrival = unit.arrival
            if arrival.key_hash is None:
                self._seconds[arrival.second].cells[arrival.generation].ends[arrival.arm, unit.end] += 1
            self._journal.end(unit.number)
        return unit.end

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
            if unit.end is None and unit.deadline <= now:
                self.end(unit, "error")
        return all(unit.end is not None for unit in second.units)

    def _cell(self, second: int, generation: int, weight: float) -> _Cell:
        cells = self._seconds.setdefault(second, _Second()).cells
        return cells.setdefault(generation, _Cell(weight))
