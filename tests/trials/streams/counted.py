"""One boot's journal against what the control plane keeps of it: every unit once, in one place."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.serving import Arm, ArmCounts, GenerationSecond, UnitEnd
from tests.trials.streams.account import Boot, Row
from tests.trials.streams.places import Place
from workers.serve.counting.second import Arrival

ANY: Final = -1
"""In the place of a second: what the next boot tells may be counted in a later one than that of its arrival."""


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
    """In seconds that the boot has told itself, or the next one word for word."""
    seconds: frozenset[int]
    """Those."""
    left: Mapping[tuple[Unit, UnitEnd], int]
    """In what the next boot told of the seconds that this one had not sealed."""
    rest: Mapping[tuple[Unit, Place], int]
    """What is not in an accepted second, by the journal."""
    lost: bool
    """The next boot said that units never ended."""

    def places(self) -> Iterator[tuple[Unit, Place, int]]:
        for (unit, end), units in self.accepted.items():
            yield unit, end, units
        for (unit, place), units in self.rest.items():
            yield unit, place, units

    def in_place(self, place: Place) -> int:
        return sum(units for _, of, units in self.places() if of == place)


def open_book(boot: Boot, rows: Iterable[Row]) -> Book:
    ours = [row for row in rows if row.boot == boot.id]
    sealed = boot.journal.sealed
    seconds = frozenset(row.second for row in ours if row.second <= sealed)
    accepted: Counter[tuple[Unit, UnitEnd]] = Counter()
    left: Counter[tuple[Unit, UnitEnd]] = Counter()
    for row in ours:
        if row.second <= sealed:
            accepted.update(_ends(row.second, row.generations))
        else:
            left.update(_ends(ANY, row.generations))
    rest: Counter[tuple[Unit, Place]] = Counter()
    for entry in boot.journal.entries:
        second = entry.arrival.second
        if second > sealed:
            rest[_unit(entry.arrival), entry.end or "lost"] += 1
        elif second not in seconds:
            rest[_unit(entry.arrival), "late"] += 1
    return Book(boot, accepted, seconds, left, rest, any(row.lost for row in ours))


def judge_book(book: Book) -> Iterator[str]:
    """What the journal and the control plane do not agree on."""
    boot = book.boot
    who = f"boot {boot.id} of {boot.gateway}"
    sealed = [one for one in boot.journal.entries if one.arrival.second <= boot.journal.sealed]
    unsealed = [one for one in boot.journal.entries if one.arrival.second > boot.journal.sealed]
    written = Counter((_unit(one.arrival), one.end) for one in sealed if one.arrival.second in book.seconds)
    yield from _differences(f"{who} has told", book.accepted, written)
    remaining = Counter((_unit(one.arrival)._replace(second=ANY), one.end or "error") for one in unsealed)
    yield from _differences(f"{who} has left, as was told,", book.left, remaining)
    if not boot.killed and unsealed:
        yield f"{who}: {len(unsealed)} units are in seconds that it never told: it had the time"
    if (never := sum(one.end is None for one in unsealed)) and not book.lost:
        yield f"{who}: {never} units never ended, and nobody was told that a gateway was lost with them"
    if book.lost and not never:
        yield f"{who} is said to be lost with units that never ended: by its journal all have"
    if (late := book.in_place("late")) != boot.late_units:
        yield f"{who}: {boot.late_units} units were refused as late, by the journal {late}"


def judge_strangers(boots: Iterable[Boot], rows: Iterable[Row]) -> Iterator[str]:
    for stranger in sorted({row.boot for row in rows} - {boot.id for boot in boots}, key=str):
        yield f"boot {stranger} counts units, and nobody started it"


def _differences(
    told: str, found: Mapping[tuple[Unit, UnitEnd], int], written: Mapping[tuple[Unit, UnitEnd | None], int]
) -> Iterator[str]:
    for one in sorted({*found, *written}, key=str):
        if (units := found.get(one, 0)) != (entries := written.get(one, 0)):  # type: ignore[call-overload]
            unit, end = one
            yield f"{told} {units} units of {unit} which are {end}: its journal has {entries}"


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
