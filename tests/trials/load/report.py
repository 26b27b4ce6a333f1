"""What a load run has shown, as JSON and as a table that a person reads."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.trials.load.generator import Result

BEHIND_MS = 10.0
"""Requests that leave later than that by the generator's own fault (p99) make its latencies doubtful."""
BUSY_SHARE = 0.85
COLUMNS = ("p50", "p90", "p99", "p99.9", "max")


def kept_up(result: Result) -> bool:
    lag = result.lag.percentile(99)
    return (lag is None or lag <= BEHIND_MS) and result.cpu_share <= BUSY_SHARE


def unanswered(document: dict[str, Any], targets: Iterable[str]) -> list[str]:
    """Those targets of which not every request, or none at all, was answered well."""
    found = document["targets"]
    return [name for name in targets if name not in found or not found[name]["ok"] == found[name]["sent"] > 0]


def to_json(result: Result, conditions: dict[str, Any]) -> dict[str, Any]:
    """Latencies are milliseconds."""
    return {
        "conditions": conditions,
        "seconds": round(result.seconds, 3),
        "generator": {
            "kept_up": kept_up(result),
            "cpu_share": round(result.cpu_share, 3),
            "lag_ms": result.lag.summary(),
        },
        "targets": {
            name: {
                "sent": tally.sent,
                "ok": tally.ok,
                "idle": tally.idle,
                "errors": dict(tally.errors.most_common()),
                "per_second": round(tally.sent / result.seconds, 2),
                "latency_ms": tally.latency.summary(),
            }
            for name, tally in sorted(result.tallies.items())
        },
    }


def to_text(document: dict[str, Any]) -> str:
    head = f"{'target':<10}{'sent':>8}{'ok':>8}{'errors':>8}{'/s':>8}" + "".join(f"{name:>10}" for name in COLUMNS)
    lines = [head + "   (ms, from the intended time)"]
    errors: Counter[str] = Counter()
    for name, target in document["targets"].items():
        failed = sum(target["errors"].values())
        latency = "".join(f"{_number(target['latency_ms'][column]):>10}" for column in COLUMNS)
        counts = f"{name:<10}{target['sent']:>8}{target['ok']:>8}{failed:>8}{target['per_second']:>8.1f}"
        lines.append(counts + latency)
        errors.update({f"{name}: {kind}": count for kind, count in target["errors"].items()})
    lines += [f"  {count} x {kind}" for kind, count in errors.most_common()]
    generator = document["generator"]
    verdict = (
        "kept up" if generator["kept_up"] else "FELL BEHIND: its latencies say more about it than about the system"
    )
    lag, share = generator["lag_ms"], generator["cpu_share"]
    lines.append(
        f"generator: {verdict}; left late by p50 {_number(lag['p50'])} ms, p99 {_number(lag['p99'])} ms; "
        f"{share:.0%} of one core"
    )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
