"""What one run of schemathesis did, as its own record tells it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Tally:
    identity: str
    cases: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[str] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    """Operations that answered with success."""
    server_errors: Counter[str] = field(default_factory=Counter)
    """By status and operation, `no answer` among them."""
    failures: list[str] = field(default_factory=list)


def read_tally(identity: str, events: Path) -> Tally:
    """Without the file: of a run that could not begin."""
    tally = Tally(identity)
    for line in events.read_text().splitlines() if events.exists() else []:
        finished: dict[str, Any] | None = json.loads(line).get("ScenarioFinished")
        if finished is None:
            continue
        recorder = finished["recorder"]
        tally.cases[finished["phase"]] += len(recorder.get("cases", {}))
        _count_answers(tally, recorder)
    return tally


def _count_answers(tally: Tally, recorder: dict[str, Any]) -> None:
    for name, one in recorder.get("interactions", {}).items():
        status = str(one["response"]["status_code"] if one.get("response") else "no answer")
        tally.statuses[status] += 1
        value = recorder["cases"][name]["value"]
        operation = f"{value['method']} {value['path']}"
        if status.startswith("2"):
            tally.reached.add(operation)
        elif not status.startswith(("3", "4")):
            tally.server_errors[f"{status} {operation}"] += 1


def counted(counts: Counter[str]) -> str:
    """The sum, and what it is made of."""
    parts = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    return f"{counts.total():,} ({parts})"
