"""Writers who do not stop when a part that carries facts is hit: what breaks in the milliseconds between two steps
breaks only when somebody is between them."""

import time
from typing import Final

from tests.trials.chaos.caller import Caller
from tests.trials.chaos.doors import Door, publish
from tests.trials.chaos.foundation import EVENT_SOURCE
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.plan import Fault

CARRIERS: Final = frozenset({"api", "relay", "reactions", "broker", "postgres", "supervisor", "everything"})
WRITERS: Final[tuple[Door, ...]] = ("http", "http", "http", "kafka")
"""By the door that each takes."""
BEFORE_SECONDS: Final = 0.4
SECONDS: Final = 0.8
UNWANTED: Final = "com.example.burst"
"""It starts nothing: a fact, its relay and the listener's one answer."""


def begins(faults: tuple[Fault, ...]) -> list[float]:
    """Seconds after the round's beginning: once for each fault of a part that carries facts."""
    return [max(0.0, fault.at - BEFORE_SECONDS) for fault in faults if fault.part in CARRIERS]


def write_events(caller: Caller, door: Door, bootstrap_servers: str | None, ledger: Ledger, name: str) -> None:
    """One event after the other, each as soon as the one before was accepted."""
    until = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < until:
        event = {"specversion": "1.0", "id": f"{name}-{number}", "source": EVENT_SOURCE, "type": UNWANTED, "data": {}}
        answer = publish(event, door, caller, bootstrap_servers)
        if not answer.good:
            ledger.note_refusal("a burst's event", answer.status, answer.text)
            return
        ledger.note("events", (EVENT_SOURCE, event["id"]))
        number += 1
