"""Journals of a killed boot, as tests write and read them."""

from pathlib import Path
from uuid import UUID

from schemas.serving import ArmCounts, GenerationSecond, LostUnits, Observation
from workers.serve.counting.journal import Journal
from workers.serve.counting.remains import read_remains
from workers.serve.counting.second import Arrival

BOOT = UUID(int=9)
STABLE = Arrival(100, 4, 0.25, "stable")
CANARY = Arrival(101, 4, 0.25, "canary")


def lost_units(path: Path) -> LostUnits | None:
    remains = read_remains(path)
    return None if remains is None else LostUnits(boot=remains.boot, seconds=remains.lost)


def told(journal: Journal, second: int, errors: int = 0) -> str:
    """As an uplink seals a second."""
    counts = ArmCounts(units=9, error=errors)
    generation = GenerationSecond(generation=4, applied_weight=0.25, stable=counts, canary=ArmCounts(units=0))
    body = Observation(boot=BOOT, second=second, generations=(generation,)).model_dump_json()
    journal.seal(second, body)
    return body
