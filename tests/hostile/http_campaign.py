"""Runs schemathesis as every identity, until so many cases were sent, and says what came of them."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.http_settings import Effort, settings_of
from tests.hostile.http_targets import Target, api, gateway
from tests.hostile.outcome import Outcome
from tests.support.processes import ROOT

COVERAGE_CASES = 5_000
"""About what schemathesis' coverage phase sends: it is not cut in parts."""
OPERATIONS = {"api": 70, "gateway": 10}
TARGETS: dict[str, Callable[[str, Path], AbstractContextManager[Target]]] = {"api": api, "gateway": gateway}


@dataclass
class Tally:
    """What one run of schemathesis did."""

    identity: str
    cases: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[str] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    """Operations that answered with success."""
    server_errors: Counter[str] = field(default_factory=Counter)
    """By status and operation, `no answer` among them."""
    failures: list[str] = field(default_factory=list)


def run(target: str, database: str, cases: int, seed: int, only: list[str] | None, keep: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="graftwork-hostile-") as temporary:
        folder = Path(temporary)
        reports = keep or folder / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        with TARGETS[target](database, folder) as site:
            tallies = Campaign(target, site, reports, seed).run(cases, only or [*site.tokens])
            process = site.process
            alive = process is None or process.running
            log = process.output() if process else ""
    return _outcome(
        name_of(target, database), tallies, cases, [] if alive else [f"the server has ended:\n{log[-2000:]}"]
    )


def name_of(target: str, database: str) -> str:
    return target if target == "gateway" else f"{target} on {database}"


class Campaign:
    def __init__(self, target: str, site: Target, reports: Path, seed: int) -> None:
        self._target, self._site, self._reports, self._seed = target, site, reports, seed

    def run(self, cases: int, identities: list[str]) -> list[Tally]:
        """An eighth of the cases for all who may do less than an admin; the admin sends what is left."""
        others = [name for name in identities if name != "admin"]
        each = max(1, cases // 8 // max(1, len(others)) // OPERATIONS[self._target])
        tallies = [self._one(name, Effort(coverage=False, fuzz=each, walks=0), self._seed) for name in others]
        if "admin" not in identities:
            return tallies
        covered = self._target == "gateway" or cases > 2 * COVERAGE_CASES * 0.9
        fuzz = max(2, (cases - COVERAGE_CASES * covered) // 2 // OPERATIONS[self._target])
        seed = self._seed
        while True:
            tallies.append(self._one("admin", Effort(covered, fuzz, walks=max(5, cases // 60)), seed))
            if sum(tally.cases.total() for tally in tallies) >= cases:
                return tallies
            covered, seed = False, seed + 1

    def _one(self, identity: str, effort: Effort, seed: int) -> Tally:
        folder = self._reports / f"{identity}-{seed}"
        folder.mkdir(exist_ok=True)
        settings = settings_of(self._site.tokens[identity], effort)
        (folder / "schemathesis.toml").write_text(settings)
        words = ["--config-file", str(folder / "schemathesis.toml"), "run", f"{self._site.url}/openapi.json"]
        words += ["--checks", "all", "--seed", str(seed), "--report", "ndjson"]
        words += ["--report-ndjson-path", str(folder / "events.ndjson")]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GRAFTWORK_HOSTILE_IDENTITY": identity,
            "GRAFTWORK_HOSTILE_TARGET": self._target,
        }
        with (folder / "output.txt").open("w") as output:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("schemathesis")), *words],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        tally = read_tally(identity, folder / "events.ndjson")
        if done.returncode:
            tally.failures.append((folder / "output.txt").read_text())
        print(f"{identity:10} seed {seed}: {_counted(tally.cases)}", flush=True)  # noqa: T201
        return tally


def read_tally(identity: str, events: Path) -> Tally:
    """Of schemathesis' own record of a run."""
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


def _outcome(name: str, tallies: list[Tally], wanted: int, faults: list[str]) -> Outcome:
    total: Counter[str] = sum((tally.cases for tally in tallies), Counter())
    statuses: Counter[str] = sum((tally.statuses for tally in tallies), Counter())
    faults += [text for tally in tallies for text in tally.failures]
    if total.total() < wanted:
        faults.append(f"{total.total()} cases were sent, {wanted} were asked for")
    if server_errors := sum((tally.server_errors for tally in tallies), Counter[str]()):
        faults.append(f"answers that nobody may get: {_counted(server_errors)}")
    reached = set().union(*(tally.reached for tally in tallies))
    lines = [
        f"{name}: {_counted(total)}",
        f"answers: {_counted(statuses)}",
        f"operations that answered with success: {len(reached)}",
    ]
    return Outcome(name, lines, faults)


def _counted(counts: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    return f"{counts.total():,} ({parts})"
