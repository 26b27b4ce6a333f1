"""What many rounds have come to, as JSON and in lines."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.chaos.round import Outcome

WORDS: Final = {
    "kill": "SIGKILL, started again",
    "stop": "SIGSTOP, continued",
    "restart": "restarted politely",
    "partition": "cut off from the API",
    "fill_disk": "disk full, freed",
    "jump_clock": "wall clock jumps",
}


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything that the table and its reader's next question need."""
    return {
        "topology": outcomes[0].plan.topology if outcomes else None,
        "seeds": [outcome.plan.seed for outcome in outcomes],
        "failed": {outcome.plan.seed: outcome.violations for outcome in outcomes if outcome.violations},
        "crashes": {outcome.plan.seed: outcome.crashes for outcome in outcomes if outcome.crashes},
        "skipped": sorted({reason for outcome in outcomes for reason in outcome.skipped}),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "done": totals(outcomes),
        "recoveries": [
            {"seed": outcome.plan.seed, **vars(one), "seconds": round(one.seconds, 2)}
            for outcome in outcomes
            for one in outcome.recoveries
        ],
    }


def totals(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How much was done under fire."""
    names = ("jobs", "runs", "rollouts", "rollbacks", "moves", "events", "feedback", "answers")
    found: dict[str, int] = dict.fromkeys((*names, "predictions", "faults"), 0)
    for outcome in outcomes:
        for name in names:
            found[name] += len(getattr(outcome.ledger.expected, name))
        found["predictions"] += sum(outcome.ledger.predictions.values())
        found["faults"] += len(outcome.plan.faults)
    return found


def line(outcome: Outcome) -> str:
    """One round in a line."""
    word = "FAILED" if outcome.violations else "ok"
    faults = ", ".join(f"{one.action} {one.part} {one.seconds:.1f} s" for one in outcome.recoveries)
    crashed = f"; {len(outcome.crashes)} ended by itself" if outcome.crashes else ""
    return f"seed {outcome.plan.seed:4d} {word:6s} {outcome.seconds:5.1f} s  {faults}{crashed}"
