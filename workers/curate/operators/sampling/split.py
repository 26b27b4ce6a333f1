"""Group-safe, seeded splits: a group, or a text, never lies in two of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from schemas.artifacts import Split
from schemas.data.operators import Splits
from workers.curate.operators.operator import Given, Outcome
from workers.curate.operators.sampling.order import order_key
from workers.curate.rows import Reject
from workers.data.rows import Row
from workers.runtime.errors import JobError

HELD_OUT: Final[tuple[Literal["test", "validation"], ...]] = ("test", "validation")
Unit = list[Row]


@dataclass
class Division:
    """Which rows went where; each list is in the seeded order."""

    rows: dict[Split, list[Row]]
    rejects: list[Reject] = field(default_factory=list)


def apply(rows: Sequence[Row], settings: Splits, given: Given) -> Outcome:
    """Rows of a group that the parent version trains on are bound to train; the others are free to be divided."""
    free, bound, held_out = join(rows, given.split_of)
    if not free and not bound:
        return [], held_out
    # A split that the parent has is not filled up: its rows are what every version is measured on.
    held = {*given.split_of.values()}
    splits = settings.model_copy(update={name: 0.0 for name in HELD_OUT if name in held})
    division = divide(free, splits, given.labels, given.seed)
    division.rows["train"].extend(bound)
    kept = [replace(row, split=split) for split, part in division.rows.items() for row in part]
    return kept, [*held_out, *division.rejects]


def divide(rows: Iterable[Row], splits: Splits, labels: Sequence[str], seed: int) -> Division:
    """Fill test, then validation, with whole units in the seeded order; the rest is train."""
    ordered = sorted(rows, key=lambda row: order_key(seed, row))
    units = _units(ordered)
    counts = Counter(row.label for row in ordered)
    smallest = min((counts[label] for label in labels), default=0)
    division = Division({"train": [], "validation": [], "test": []})
    for name in HELD_OUT:
        size = splits.test if name == "test" else splits.validation
        room = _room(size, len(ordered), smallest, labels if splits.balanced else None)
        taken, units = _fill(units, room)
        _check_count(name, size, taken, units, len(ordered))
        if splits.balanced:
            taken, returned = _even_out(taken, labels)
            units = returned + units
        division.rows[name], rejects = _rows_of(taken, labels if splits.balanced else None)
        division.rejects.extend(rejects)
        if size and not division.rows[name]:
            raise JobError(
                f"splits.{name}: {size:g} of {len(ordered)} rows leaves none; give more rows, or set it to 0"
            )
    division.rows["train"] = sorted((row for unit in units for row in unit), key=lambda row: order_key(seed, row))
    return division


def join(rows: Iterable[Row], held: Mapping[str, Split]) -> tuple[list[Row], list[Row], list[Reject]]:
    """New rows beside a parent's units: free to be divided, bound to train by their group, rejected for it."""
    free: list[Row] = []
    bound: list[Row] = []
    rejects: list[Reject] = []
    for row in rows:
        where = held.get(row.unit)
        if where is None:
            free.append(row)
        elif where == "train":
            bound.append(row)
        else:
            rejects.append(Reject.of(row, "split", "group_is_held_out"))
    return free, bound, rejects


@dataclass
class _Room:
    """What still fits: so many rows, or so many of each label."""

    total: int
    of_label: Counter[str | None] | None

    def take(self, unit: Unit) -> bool:
        counts = Counter(row.label for row in unit)
        if len(unit) > self.total or (
            self.of_label is not None and any(count > self.of_label[label] for label, count in counts.items())
        ):
            return False
        self.total -= len(unit)
        if self.of_label is not None:
            self.of_label.subtract(counts)
        return True


def _room(size: float, rows: int, smallest: int, labels: Sequence[str] | None) -> _Room:
    total = round(size * rows) if size < 1 else int(size)
    if labels is None:
        return _Room(total, None)
    each = total // max(1, len(labels))
    if size < 1:
        # A fraction is of the rarest label too, or a balanced split would take all of its rows from train.
        each = min(each, round(size * smallest))
    return _Room(each * len(labels), Counter(dict.fromkeys(labels, each)))


def _fill(units: Sequence[Unit], room: _Room) -> tuple[list[Unit], list[Unit]]:
    """What fits, but never the last unit that holds a label: train has a row of each."""
    taken: list[Unit] = []
    left: list[Unit] = []
    holders = Counter(label for unit in units for label in {row.label for row in unit})
    for unit in units:
        labels = {row.label for row in unit}
        if room.total and all(holders[label] > 1 for label in labels) and room.take(unit):
            holders.subtract(labels)
            taken.append(unit)
        else:
            left.append(unit)
    return taken, left


def _check_count(name: str, size: float, taken: Sequence[Unit], left: Sequence[Unit], rows: int) -> None:
    """A count of rows that only the last rows of some labels could meet."""
    found = sum(len(unit) for unit in taken)
    labels = {row.label for unit in left for row in unit}
    if size >= 1 and found < size and len(left) <= len(labels):
        what = "no row left" if labels == {None} else "some label no row left"
        raise JobError(f"splits.{name}: {size:g} of {rows} rows leaves {what} to train on; it can have {found}")


def _even_out(taken: Sequence[Unit], labels: Sequence[str]) -> tuple[list[Unit], list[Unit]]:
    """Give back whole units of labels that have more rows than the rarest one."""
    counts = Counter(row.label for unit in taken for row in unit)
    floor = min((counts[label] for label in labels), default=0)
    kept: list[Unit] = []
    returned: list[Unit] = []
    for unit in reversed(taken):
        label = unit[0].label
        if all(row.label == label for row in unit) and counts[label] - len(unit) >= floor:
            counts[label] -= len(unit)
            returned.append(unit)
        else:
            kept.append(unit)
    return kept[::-1], returned[::-1]


def _rows_of(units: Sequence[Unit], labels: Sequence[str] | None) -> tuple[list[Row], list[Reject]]:
    """The units' rows. For even `labels`, what is above the rarest is rejected: its group may not train."""
    rows = [row for unit in units for row in unit]
    if labels is None:
        return rows, []
    counts = Counter(row.label for row in rows)
    room: Counter[str | None] = Counter(dict.fromkeys(labels, min((counts[label] for label in labels), default=0)))
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row in rows:
        if room[row.label] > 0:
            room[row.label] -= 1
            kept.append(row)
        else:
            rejects.append(Reject.of(row, "split", "unbalanced_remainder"))
    return kept, rejects


def _units(rows: Iterable[Row]) -> list[Unit]:
    units: dict[str, Unit] = {}
    for row in rows:
        units.setdefault(row.unit, []).append(row)
    return list(units.values())
