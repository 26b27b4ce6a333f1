"""What the driver did and was answered: the other half of every invariant."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Keyed:
    """One Idempotency-Key and every good answer that it got: they must be the same."""

    route: str
    key: str
    answers: tuple[tuple[int, str], ...]


@dataclass
class Ledger:
    """Written by many threads, read when all is quiet. Only good answers are noted: what was accepted."""

    jobs: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    """Somebody asked for that."""
    doomed: set[str] = field(default_factory=set)
    """Their spec cannot succeed."""
    runs: list[str] = field(default_factory=list)
    rollouts: list[str] = field(default_factory=list)
    rollbacks: list[str] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    """Of free aliases, by id."""
    events: set[tuple[str, str]] = field(default_factory=set)
    """Source and id of inbound events that were accepted, by whichever door and however often."""
    feedback: set[str] = field(default_factory=set)
    """Prediction ids."""
    keys: list[Keyed] = field(default_factory=list)
    predictions: Counter[str] = field(default_factory=Counter)
    """What gateways answered: the variant, the status, or how the connection ended."""
    oddities: list[str] = field(default_factory=list)
    """What no fault excuses, seen on the way."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, value: Any) -> None:
        """Append to, or put into, the collection of that name."""
        with self._lock:
            collection = getattr(self, what)
            if isinstance(collection, list):
                collection.append(value)
            elif isinstance(collection, Counter):
                collection[value] += 1
            else:
                collection.add(value)
