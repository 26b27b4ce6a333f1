"""What remains to be told of an earlier boot of this gateway, which was killed: read from its journal."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from schemas.serving import LostSecond, LostUnits
from workers.serve.counting.second import Arrival, Second, Unit


@dataclass(frozen=True)
class Remains:
    """In the order in which they are to be told."""

    boot: UUID
    sealed: tuple[str, ...]
    """Observations as that boot would have sent them, or has: a repeat changes nothing."""
    lost: LostUnits
    """The seconds after them: what ended as it ended, what never did as an error. Without any, that nothing follows."""


@dataclass
class _Lines:
    """What has been read so far."""

    sealed: dict[int, str] = field(default_factory=dict)
    last_sealed: int = -1
    settled: int = -1
    units: dict[int, Unit] = field(default_factory=dict)

    def take(self, line: bytes) -> None:
        """Raises ValueError, KeyError or TypeError for what is no line of a journal."""
        match json.loads(line):
            case [int(number), str(end)]:
                self.units[number].end = end  # type: ignore[assignment]
            case [int(number), *arrival]:
                self.units[number] = Unit(Arrival(*arrival), deadline=0.0, number=number)
            case {"settled": int(second)}:
                self.settled = max(self.settled, second)
            case {"second": int(second)}:
                self.sealed[second] = line.decode()
                self.last_sealed = max(self.last_sealed, second)


def read_remains(path: Path) -> Remains | None:
    """None when the file does not say which boot it was."""
    header, *lines = path.read_bytes().split(b"\n")
    try:
        boot = UUID(json.loads(header)["boot"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    read = _Lines()
    for line in lines:
        try:
            read.take(line)
        except (ValueError, KeyError, TypeError):
            continue  # torn, as the last line of a killed process may be
    sealed = tuple(read.sealed[second] for second in sorted(read.sealed) if second > read.settled)
    return Remains(boot, sealed, LostUnits(boot=boot, seconds=_unsealed(boot, read)))


def _unsealed(boot: UUID, read: _Lines) -> tuple[LostSecond, ...]:
    seconds: defaultdict[int, Second] = defaultdict(Second)
    after = max(read.last_sealed, read.settled)
    for unit in read.units.values():
        if (number := unit.arrival.second) > after:
            seconds[number].begin(unit)
            if unit.end is not None:
                seconds[number].end(unit, unit.end)
    return tuple(_lost(boot, number, seconds[number]) for number in sorted(seconds))


def _lost(boot: UUID, number: int, second: Second) -> LostSecond:
    unfinished = any(unit.end is None for unit in second.units)
    return LostSecond(boot=boot, second=number, generations=second.told(), unfinished=unfinished)
