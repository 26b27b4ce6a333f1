"""What the driver did and was answered in one round: the other half of every invariant."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.trials.chaos.invariants.expected import Answer, Expected


@dataclass
class Ledger:
    """Written by many threads, read when all is quiet. Only good answers are noted: what was accepted."""

    expected: Expected = field(default_factory=Expected)
    cancelled: set[UUID] = field(default_factory=set)
    """Jobs: somebody asked for that."""
    predictions: Counter[str] = field(default_factory=Counter)
    """What gateways answered: the variant, the status, or how the connection ended."""
    oddities: list[str] = field(default_factory=list)
    """What no fault excuses, seen on the way."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, value: Any) -> None:
        """Append to, or put into, the collection of that name."""
        with self._lock:
            collection = getattr(self if hasattr(self, what) else self.expected, what)
            if isinstance(collection, list):
                collection.append(value)
            elif isinstance(collection, Counter):
                collection[value] += 1
            else:
                collection.add(value)

    def note_refusal(self, who: str, status: int, text: str) -> None:
        """Something good was refused: no fault excuses it."""
        self.note("oddities", f"{who} was answered {status}: {text[:300]}")

    def note_feedback(self, prediction_id: str, *, counted: bool) -> None:
        with self._lock:
            self.expected.feedback.setdefault(prediction_id, counted)

    def note_answers(self, route: str, key: str, answers: Iterable[tuple[int, str]]) -> None:
        for status, text in answers:
            self.note("answers", Answer(route, key, status, text))
