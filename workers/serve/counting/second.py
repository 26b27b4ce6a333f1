"""One second of a boot: who arrived in it, how each ended, and what is told of them. The only place that sums units."""

from collections import Counter
from dataclasses import dataclass, field

from schemas.serving import Arm, ArmCounts, GenerationSecond, SessionUnit, UnitEnd


@dataclass(frozen=True)
class Arrival:
    """One unit as it arrived: its second, generation, weight applied, arm, and in session mode its key's hash."""

    second: int
    generation: int
    weight: float
    arm: Arm
    key_hash: str | None = None


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

    def told(self, generation: int) -> GenerationSecond:
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
        abandoned = self.ends[arm, "abandoned"]
        error = self.units[arm] - self.ends[arm, "ok"] - abandoned
        return ArmCounts(units=self.units[arm], error=error, abandoned=abandoned)


class Second:
    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._cells: dict[int, _Cell] = {}

    @property
    def empty(self) -> bool:
        """No generation has served in it."""
        return not self._cells

    def weight(self, generation: int) -> float | None:
        """None: nobody has asked for it in this second."""
        cell = self._cells.get(generation)
        return None if cell is None else cell.weight

    def serve(self, generation: int, weight: float) -> float:
        """The weight of this generation for the whole second: the first one asked."""
        return self._cells.setdefault(generation, _Cell(weight)).weight

    def begin(self, unit: Unit) -> None:
        arrival = unit.arrival
        cell = self._cells.setdefault(arrival.generation, _Cell(arrival.weight))
        if arrival.key_hash is None:
            cell.units[arrival.arm] += 1
        else:
            cell.sessions.setdefault(arrival.key_hash, unit)  # a key counts at its first exposure
        self.units.append(unit)

    def end(self, unit: Unit, end: UnitEnd) -> None:
        """Once a unit."""
        unit.end = end
        if unit.arrival.key_hash is None:
            self._cells[unit.arrival.generation].ends[unit.arrival.arm, end] += 1

    def told(self) -> tuple[GenerationSecond, ...]:
        """By generation; a unit without an end is an error."""
        return tuple(cell.told(generation) for generation, cell in sorted(self._cells.items()))
