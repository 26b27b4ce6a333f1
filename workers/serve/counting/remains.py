"""What remains to be told of an earlier boot of this gateway, which was killed: read from its journal."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, TypeAdapter

from schemas.artifacts import Fraction
from schemas.base import Strict
from schemas.serving import Arm, GenerationNumber, KeyHash, LostSecond, Observation, UnitEnd
from workers.serve.counting.second import Arrival, Second, Unit


class _Settled(Strict):
    settled: int = Field(ge=0)


_Arrived = tuple[int, Annotated[int, Field(ge=0)], GenerationNumber, Fraction, Arm, KeyHash | None]
_Ended = tuple[int, UnitEnd]
LINE: Final[TypeAdapter[_Arrived | _Ended | _Settled | Observation]] = TypeAdapter(
    _Arrived | _Ended | _Settled | Observation
)


@dataclass(frozen=True)
class Remains:
    boot: UUID
    sealed: Mapping[int, str]
    """Second to the observation as that boot would have sent it, or has: a repeat changes nothing."""
    lost: tuple[LostSecond, ...]
    """The other seconds: what ended as it ended, what never did as an error."""

    def in_order(self) -> Iterator[str | LostSecond]:
        """Second by second, as that boot would have told them."""
        left: dict[int, str | LostSecond] = {**self.sealed, **{second.second: second for second in self.lost}}
        yield from (left[second] for second in sorted(left))


@dataclass
class _Lines:
    """What has been read so far."""

    boot: UUID
    sealed: dict[int, str] = field(default_factory=dict)
    settled: int = -1
    units: dict[int, Unit] = field(default_factory=dict)

    def take(self, line: bytes) -> None:
        """Raises ValueError for what is no line of a journal."""
        match LINE.validate_json(line):
            case _Settled(settled=second):
                self.settled = max(self.settled, second)
            case Observation() as observation:
                if observation.boot == self.boot:
                    self.sealed[observation.second] = line.decode()
            case (number, end):
                if number in self.units:
                    self.units[number].end = end
            case (number, second, generation, weight, arm, key_hash):
                arrival = Arrival(second, generation, weight, arm, key_hash)
                self.units[number] = Unit(arrival, deadline=0.0, number=number)

    def remains(self) -> Remains:
        seconds: defaultdict[int, Second] = defaultdict(Second)
        for unit in self.units.values():
            if (number := unit.arrival.second) > self.settled and number not in self.sealed:
                seconds[number].begin(unit)
                if unit.end is not None:
                    seconds[number].end(unit, unit.end)
        lost = tuple(_lost(self.boot, number, seconds[number]) for number in sorted(seconds))
        sealed = {second: body for second, body in self.sealed.items() if second > self.settled}
        return Remains(self.boot, sealed, lost)


def read_remains(path: Path) -> Remains | None:
    """None when the file does not say which boot it was. Raises OSError."""
    with path.open("rb") as file:
        try:
            lines = _Lines(UUID(json.loads(file.readline())["boot"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        for line in file:
            try:
                lines.take(line.rstrip(b"\n"))
            except ValueError:
                continue  # torn, as the last line of a killed process may be; it costs itself only
    return lines.remains()


def _lost(boot: UUID, number: int, second: Second) -> LostSecond:
    unfinished = any(unit.end is None for unit in second.units)
    return LostSecond(boot=boot, second=number, generations=second.told(), unfinished=unfinished)
