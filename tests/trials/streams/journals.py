"""Gateways' journals, read past the product's own reader: every unit that a boot has admitted, and whether it ended."""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from workers.serve.counting.journal import Arrival


@dataclass(frozen=True)
class Entry:
    """One unit, as its boot wrote it down."""

    arrival: Arrival
    ended: bool


def read_journal(file: Path) -> tuple[Entry, ...]:
    """In the order of arrival. The last line of a killed process may be torn."""
    header, *lines = file.read_bytes().split(b"\n")
    assert json.loads(header)["boot"] == file.stem, f"{file} is the journal of another boot"
    arrivals: dict[int, Arrival] = {}
    ended: set[int] = set()
    for line in filter(None, lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, list):
            arrivals[record[0]] = Arrival(*record[1:])
        else:
            ended.add(record)
    return tuple(Entry(arrival, number in ended) for number, arrival in arrivals.items())


def boot_of(file: Path) -> UUID:
    return UUID(file.stem)
