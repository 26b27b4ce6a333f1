"""Gateways' journals, read past the product's own reader: every unit that a boot has admitted, and how it ended."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from schemas.serving import UnitEnd
from workers.serve.counting.second import Arrival

END_FIELDS: Final = 2
"""The unit's number, and how it ended; an arrival has more."""


@dataclass(frozen=True)
class Entry:
    """One unit, as its boot wrote it down."""

    arrival: Arrival
    end: UnitEnd | None
    """None: it never ended."""


@dataclass(frozen=True)
class Written:
    """All that a boot wrote down."""

    entries: tuple[Entry, ...]
    """In the order of arrival."""
    sealed: int
    """The last second that it told itself, or was about to; -1 for none."""


def read_journal(file: Path) -> Written:
    """The last line of a killed process may be torn."""
    header, *lines = file.read_bytes().split(b"\n")
    assert json.loads(header)["boot"] == file.stem, f"{file} is the journal of another boot"
    arrivals: dict[int, Arrival] = {}
    ends: dict[int, UnitEnd] = {}
    sealed = -1
    for line in filter(None, lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            sealed = max(sealed, record.get("second", -1))
        elif len(record) == END_FIELDS:
            ends[record[0]] = record[1]
        else:
            arrivals[record[0]] = Arrival(*record[1:])
    return Written(tuple(Entry(arrival, ends.get(number)) for number, arrival in arrivals.items()), sealed)


def boot_of(file: Path) -> UUID:
    return UUID(file.stem)
