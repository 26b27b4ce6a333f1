"""One boot's journal against what the control plane has of it: every unit once, in one place."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from schemas.serving import Arm, ArmCounts, GenerationSecond, UnitEnd
from tests.trials.streams.account import Boot, Row
from tests.trials.streams.journals import Entry
from workers.serve.observe.journal import Arrival

Place = Literal["ok", "error", "abandoned", "lost", "untold", "late"]
"""Where a unit is found: in an accepted second, by its end; among the units that its dead gateway never ended, which are
errors; in a second that its gateway was killed before it told, or that came after the fold had passed it."""


class Unit(NamedTuple):
    """As what a unit counts. Those without a key are alike within a second."""

    second: int
    generation: int
    weight: float
    arm: Arm
    key_hash: str | None = None


@dataclass(frozen=True)
class Book:
    """One boot's units in their places. `ends` are those of accepted seconds, `lost` carry the seconds of their arrival."""

    boot: Boot
    ends: Mapping[tuple[Unit, UnitEnd], int]
    lost: Mapping[Unit, int]
    unaccepted: Mapping[tuple[Unit, Place], int]

    def places(self) -> Iterator[tuple[Unit, Place, int]]:
        for (unit, end), units in self.ends.items():
            yield unit, end, units
        for unit, units in self.lost.items():
            yield unit, "lost", units
        for (unit, place), units in self.unaccepted.items():
            yield unit, place, units


def open_book(boot: Boot, rows: Sequence[Row]) -> Book:
    """By what was told of the boot, and for seconds that were not told by its journal."""
    told = [row for row in rows if row.boot == boot.id and not row.lost]
    accepted = {row.second for row in told}
    ends: Counter[tuple[Unit, UnitEnd]] = Counter()
    for row in told:
        ends.update(_ends(row.second, row.generations))
    untold: Counter[tuple[Unit, Place]] = Counter()
    for entry in boot.journal:
        second = entry.arrival.second
        if entry.ended and second not in accepted:
            untold[_unit(entry.arrival), "late" if second <= boot.watermark else "untold"] += 1
    lost = Counter(_unit(entry.arrival) for entry in boot.journal if not entry.ended)
    return Book(boot, ends, lost, untold)


def judge_book(book: Book, rows: Sequence[Row]) -> Iterator[str]:
    """What the journal and the control plane do not agree on."""
    boot = book.boot
    who = f"boot {boot.id} of {boot.gateway}"
    accepted = {row.second for row in rows if row.boot == boot.id and not row.lost}
    journal = Counter(_unit(entry.arrival) for entry in _ended_in(boot.journal, accepted))
    counted: Counter[Unit] = Counter()
    for (unit, _), units in book.ends.items():
        counted[unit] += units
    yield from _differ(who, "counted", counted, journal)
    told = Counter[Unit]()
    for row in rows:
        if row.boot == boot.id and row.lost:
            told.update({unit: units for unit, units in _lost(row.generations).items()})
    yield from _differ(who, "told to be lost", told, _sum_seconds(book.lost))
    if book.lost and not boot.killed:
        yield f"{who} lives, and {_many(sum(book.lost.values()))} never ended"
    late, untold = (sum(n for (_, at), n in book.unaccepted.items() if at == place) for place in ("late", "untold"))
    if untold and not boot.killed:
        yield f"{who} lives, and has not told {_many(untold)}"
    if late != boot.late_units:
        yield f"{who}: {_many(boot.late_units)} were refused as late, by the journal {late}"


def judge_strangers(boots: Iterable[Boot], rows: Iterable[Row]) -> Iterator[str]:
    known: set[UUID] = {boot.id for boot in boots}
    for stranger in sorted({row.boot for row in rows} - known, key=str):
        yield f"boot {stranger} counts units, and nobody started it"


def _differ(who: str, how: str, found: Counter[Unit], journal: Counter[Unit]) -> Iterator[str]:
    for unit in sorted({*found, *journal}, key=str):
        if found[unit] != journal[unit]:
            named = f"{unit.arm} of generation {unit.generation} at weight {unit.weight:g}"
            key = f", key {unit.key_hash}" if unit.key_hash else ""
            second = f" in second {unit.second}" if unit.second != ANY else ""
            yield f"{who}{second}, {named}{key}: {_many(found[unit])} {how}, by the journal {journal[unit]}"


ANY = -1
"""Lost units may be counted in a later second than that of their arrival."""


def _many(units: int) -> str:
    return f"{units} unit{'' if units == 1 else 's'}"


def _ended_in(journal: Iterable[Entry], seconds: set[int]) -> Iterator[Entry]:
    return (entry for entry in journal if entry.ended and entry.arrival.second in seconds)


def _unit(arrival: Arrival) -> Unit:
    return Unit(arrival.second, arrival.generation, arrival.weight, arrival.arm, arrival.key_hash)


def _sum_seconds(units: Mapping[Unit, int]) -> Counter[Unit]:
    total: Counter[Unit] = Counter()
    for unit, number in units.items():
        total[unit._replace(second=ANY)] += number
    return total


def _lost(generations: Iterable[GenerationSecond]) -> Counter[Unit]:
    """Those among them that are errors, as all lost units are."""
    total: Counter[Unit] = Counter()
    for (unit, end), units in _ends(ANY, generations).items():
        total[unit] += units if end == "error" else 0
    return total


def _ends(second: int, generations: Iterable[GenerationSecond]) -> Counter[tuple[Unit, UnitEnd]]:
    total: Counter[tuple[Unit, UnitEnd]] = Counter()
    for entry in generations:
        arms: tuple[tuple[Arm, ArmCounts], ...] = (("stable", entry.stable), ("canary", entry.canary))
        for arm, counts in arms:
            unit = Unit(second, entry.generation, entry.applied_weight, arm)
            ok = counts.units - counts.error - counts.abandoned
            ends: dict[UnitEnd, int] = {"ok": ok, "error": counts.error, "abandoned": counts.abandoned}
            total.update({(unit, end): units for end, units in ends.items() if units})
        for session in entry.sessions:
            keyed = Unit(second, entry.generation, entry.applied_weight, session.arm, session.key_hash)
            total[keyed, session.end] += 1
    return total
