"""What many rounds have come to, as JSON and in lines."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.trials.bench.host import commit
from tests.trials.chaos.round import Outcome

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
        "commits": [commit()],
        "seeds": [outcome.plan.seed for outcome in outcomes],
        "failed": {str(outcome.plan.seed): outcome.violations for outcome in outcomes if outcome.violations},
        "crashes": {str(outcome.plan.seed): outcome.crashes for outcome in outcomes if outcome.crashes},
        "skipped": sorted({reason for outcome in outcomes for reason in outcome.skipped}),
        "played": len(outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "done": totals(outcomes),
        "recoveries": [
            {"seed": outcome.plan.seed, **vars(one), "seconds": round(one.seconds, 2)}
            for outcome in outcomes
            for one in outcome.recoveries
        ],
    }


def joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Two documents of one topology as one. A seed that failed once has failed, however often it is played again."""
    again = set(now["seeds"])
    return {
        "topology": now["topology"],
        "commits": sorted({*before["commits"], *now["commits"]}),
        "seeds": sorted(again | set(before["seeds"])),
        "failed": _said_once_or_again(before["failed"], now["failed"]),
        "crashes": _said_once_or_again(before["crashes"], now["crashes"]),
        "skipped": sorted({*before["skipped"], *now["skipped"]}),
        "played": before["played"] + now["played"],
        "seconds": round(before["seconds"] + now["seconds"], 1),
        "done": {name: count + before["done"][name] for name, count in now["done"].items()},
        "recoveries": [one for one in before["recoveries"] if one["seed"] not in again] + now["recoveries"],
    }


def _said_once_or_again(before: dict[str, list[str]], now: dict[str, list[str]]) -> dict[str, list[str]]:
    return {seed: [*before.get(seed, []), *now.get(seed, [])] for seed in sorted({*before, *now}, key=int)}


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
