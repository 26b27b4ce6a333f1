"""One boot's journal against what the control plane keeps of it: every unit once, in one place."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.serving import Arm, ArmCounts, GenerationSecond, UnitEnd
from tests.trials.streams.account import Boot, Row
from tests.trials.streams.places import Place
from workers.serve.counting.journal import Arrival

ANY: Final = -1
"""In the place of a second: lost units may be counted in a later one than that of their arrival."""


class Unit(NamedTuple):
    """As what a unit counts. Those of one second without a key are alike."""

    second: int
    generation: int
    weight: float
    arm: Arm
    key_hash: str | None = None

    def __str__(self) -> str:
        second = f"second {self.second}, " if self.second != ANY else ""
        key = f", key {self.key_hash}" if self.key_hash else ""
        return f"{second}{self.arm} of generation {self.generation} at weight {self.weight:g}{key}"


@dataclass(frozen=True)
class Book:
    """One boot's units in their places: accepted ones as they were told, all others as the journal has them."""

    boot: Boot
    accepted: Mapping[tuple[Unit, UnitEnd], int]
    rest: Mapping[tuple[Unit, Place], int]
    told_as_lost: Mapping[tuple[Unit, UnitEnd], int]
    seconds: frozenset[int]
    """Those that were accepted."""

    def places(self) -> Iterator[tuple[Unit, Place, int]]:
        for (unit, end), units in self.accepted.items():
            yield unit, end, units
        for (unit, place), units in self.rest.items():
            yield unit, place, units

    def in_place(self, place: Place) -> int:
        return sum(units for _, of, units in self.places() if of == place)


def open_book(boot: Boot, rows: Iterable[Row]) -> Book:
    ours = [row for row in rows if row.boot == boot.id]
    seconds = frozenset(row.second for row in ours if not row.lost)
    accepted: Counter[tuple[Unit, UnitEnd]] = Counter()
    lost: Counter[tuple[Unit, UnitEnd]] = Counter()
    for row in ours:
        counted = lost if row.lost else accepted
        counted.update(_ends(ANY if row.lost else row.second, row.generations))
    rest: Counter[tuple[Unit, Place]] = Counter()
    for entry in boot.journal:
        second = entry.arrival.second
        if not entry.ended:
            rest[_unit(entry.arrival), "lost"] += 1
        elif second not in seconds:
            rest[_unit(entry.arrival), "late" if second <= boot.watermark else "untold"] += 1
    return Book(boot, accepted, rest, lost, seconds)


def judge_book(book: Book) -> Iterator[str]:
    """What the journal and the control plane do not agree on."""
    boot = book.boot
    who = f"boot {boot.id} of {boot.gateway}"
    written = Counter(_unit(one.arrival) for one in boot.journal if one.ended and one.arrival.second in book.seconds)
    yield from _differences(f"{who} has told", _units(book.accepted), written)
    open_units = Counter(_unit(one.arrival)._replace(second=ANY) for one in boot.journal if not one.ended)
    yield from _differences(f"{who} has lost, as was told,", _units(book.told_as_lost), open_units)
    for (unit, end), units in book.told_as_lost.items():
        if end != "error":
            yield f"{who} has lost {units} units, {unit}, which are {end}: expected errors"
    for (unit, place), units in book.rest.items():
        if place != "late" and (boot.untold_since is None or unit.second < boot.untold_since):
            yield f"{who}: {units} units, {unit}, are {place}: it had the time to tell of them"
    if (late := book.in_place("late")) != boot.late_units:
        yield f"{who}: {boot.late_units} units were refused as late, by the journal {late}"


def judge_strangers(boots: Iterable[Boot], rows: Iterable[Row]) -> Iterator[str]:
    for stranger in sorted({row.boot for row in rows} - {boot.id for boot in boots}, key=str):
        yield f"boot {stranger} counts units, and nobody started it"


def _differences(told: str, found: Counter[Unit], written: Counter[Unit]) -> Iterator[str]:
    for unit in sorted({*found, *written}, key=str):
        if found[unit] != written[unit]:
            yield f"{told} {found[unit]} units of {unit}: its journal has {written[unit]}"


def _units(ends: Mapping[tuple[Unit, UnitEnd], int]) -> Counter[Unit]:
    total: Counter[Unit] = Counter()
    for (unit, _), units in ends.items():
        total[unit] += units
    return total


def _unit(arrival: Arrival) -> Unit:
    return Unit(arrival.second, arrival.generation, arrival.weight, arrival.arm, arrival.key_hash)


def _ends(second: int, generations: Sequence[GenerationSecond]) -> Counter[tuple[Unit, UnitEnd]]:
    total: Counter[tuple[Unit, UnitEnd]] = Counter()
    for entry in generations:
        total.update(_of_arm(Unit(second, entry.generation, entry.applied_weight, "stable"), entry.stable))
        total.update(_of_arm(Unit(second, entry.generation, entry.applied_weight, "canary"), entry.canary))
        for one in entry.sessions:
            total[Unit(second, entry.generation, entry.applied_weight, one.arm, one.key_hash), one.end] += 1
    return total


def _of_arm(unit: Unit, counts: ArmCounts) -> dict[tuple[Unit, UnitEnd], int]:
    ok = counts.units - counts.error - counts.abandoned
    ends: dict[UnitEnd, int] = {"ok": ok, "error": counts.error, "abandoned": counts.abandoned}
    return {(unit, end): units for end, units in ends.items() if units}
