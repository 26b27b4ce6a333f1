"""Whether a long run was flat, and whether enough of it was seen to say so; each rule stands with its reason."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.trials.load.finding import Finding, Work
from tests.trials.load.judged_processes import judge_processes
from tests.trials.load.judged_tables import judge_sizes, judge_tables
from tests.trials.load.report import unanswered
from tests.trials.load.sampling import EVERY_SECONDS, Sample

WARM_UP = 0.4
"""The share of the run that is not judged: caches fill, pools open, allocators find their size, and the first retention
passes."""
SEEN_SHARE = 0.9
"""The share of looks due that must have been taken: a watch that went blind may not call flat what it did not see."""
SECONDS_A_ROLLOUT = 120.0
"""One rollout takes about one of the two minutes that it is given here."""


def judge(samples: Sequence[Sample], work: Work) -> list[Finding]:
    """Needs a run of several retentions; the first part is warm-up."""
    if len(samples) < 2:
        return [Finding("watch", "samples", False, f"{len(samples)}: nothing can be said")]
    steady = samples[int(len(samples) * WARM_UP) :]
    return [
        *judge_processes(samples, steady, work),
        *judge_tables(samples, work),
        *judge_sizes(samples),
    ]


def judge_watch(samples: Sequence[Sample], errors: Counter[str], seconds: float) -> Iterator[Finding]:
    due = SEEN_SHARE * seconds / EVERY_SECONDS
    yield Finding("watch", "samples", len(samples) >= due, f"{len(samples)} (at least {due:.0f})")
    yield _errors("watch", errors)


def judge_load(load: dict[str, Any]) -> Iterator[Finding]:
    """Every target of the mix, also one that nobody came to."""
    bad = unanswered(load, load["conditions"]["mix"])
    for name in sorted(load["conditions"]["mix"]):
        target = load["targets"].get(name, {"sent": 0, "ok": 0, "errors": {}})
        errors = f"; {target['errors']}" if target["errors"] else ""
        text = f"{target['ok']} of {target['sent']} answered well{errors}"
        yield Finding(name, "requests", name not in bad, text)
    generator = load["generator"]
    late = f"left late by p99 {generator['lag_ms']['p99']} ms, {generator['cpu_share']:.0%} of one core"
    yield Finding("generator", "kept up", generator["kept_up"], late)


def judge_rollouts(ended: Counter[str], errors: Counter[str], seconds: float) -> Iterator[Finding]:
    """Those count that the evidence has ended; how they ended is told."""
    judged, least = ended["Promoted"] + ended["RolledBack"], max(1, int(seconds / SECONDS_A_ROLLOUT))
    how = ", ".join(f"{count} {phase}" for phase, count in ended.most_common()) or "none"
    yield Finding("rollouts", "ended", judged >= least, f"{how} (at least {least} by their evidence)")
    yield _errors("rollouts", errors)


def _errors(subject: str, errors: Counter[str]) -> Finding:
    told = "; ".join(f"{count} x {text}" for text, count in errors.most_common(5))
    return Finding(subject, "errors", not errors, told or "none")
