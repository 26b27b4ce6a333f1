"""Which seed has caught which mutation: kept as JSON, shown as a table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from schemas.marked import write_part
from tests.trials.chaos.mutations.catalogue import MUTATIONS

PART: Final = "caught"
"""Its marks in a document."""
LONGEST: Final = 160


@dataclass(frozen=True)
class Caught:
    mutation: str
    topology: str
    seed: int | None
    """None: no round saw it."""
    played: int
    """Rounds, this one with them."""
    violation: str
    """The first one's first line."""
    seconds: float

    def line(self) -> str:
        if self.seed is None:
            return f"{self.mutation} on {self.topology}: NOT CAUGHT by {self.played} seeds"
        return f"{self.mutation} on {self.topology}: seed {self.seed}, round {self.played}: {self.violation}"


def read(file: Path) -> list[Caught]:
    return [Caught(**one) for one in json.loads(file.read_text())] if file.is_file() else []


def keep(file: Path, caught: Caught) -> None:
    """In place of an earlier result of the same mutation on the same topology."""
    others = [one for one in read(file) if (one.mutation, one.topology) != (caught.mutation, caught.topology)]
    names = list(MUTATIONS)
    everything = sorted([*others, caught], key=lambda one: (names.index(one.mutation), one.topology))
    file.write_text(json.dumps([asdict(one) for one in everything], indent=1) + "\n")


def write_table(file: Path, found: Sequence[Caught]) -> None:
    """Between the document's marks. Raises ValueError when it has none."""
    write_part(file, PART, table(found))


def table(found: Sequence[Caught]) -> str:
    lines = [
        "| mutation | the design says, and this breaks | topology | caught by seed | rounds played | first violation |",
        "|---|---|---|---:|---:|---|",
    ]
    for one in found:
        said = one.violation[:LONGEST].replace("|", "\\|").replace("`", "'")
        seed = "not caught" if one.seed is None else str(one.seed)
        breaks = MUTATIONS[one.mutation].breaks
        lines.append(f"| `{one.mutation}` | {breaks} | {one.topology} | {seed} | {one.played} | {said} |")
    return "\n".join(lines)
