"""Runs schemathesis as every identity, until so many cases were sent, and says what came of them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.processes import ROOT
from tests.trials.hostile.http_judge import outcome_of
from tests.trials.hostile.http_settings import Effort, settings_of
from tests.trials.hostile.http_tally import Tally, counted, read_tally
from tests.trials.hostile.http_targets import Target, api, gateway
from tests.trials.hostile.outcome import Outcome

COVERAGE_CASES = 5_000
"""About what schemathesis' coverage phase sends to the API: it is not cut in parts."""
TARGETS: dict[str, Callable[[str, Path], AbstractContextManager[Target]]] = {"api": api, "gateway": gateway}
Send = Callable[[str, Effort, int], Tally]
"""As this identity, with so much effort and this seed."""


def run(target: str, database: str, cases: int, seed: int, only: list[str] | None, keep: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="graftwork-hostile-") as temporary:
        folder = Path(temporary)
        reports = keep or folder / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        with TARGETS[target](database, folder) as site:
            operations = operations_of(site.url)
            campaign = Campaign(Schemathesis(target, site, reports), len(operations), seed)
            tallies = campaign.run(cases, only or [*site.tokens], covered=target == "gateway" or _is_long(cases))
            process = site.process
            alive = process is None or process.running
            log = process.output() if process else ""
    guarded = {name for name, asks in operations.items() if asks}
    outcome = outcome_of(name_of(target, database), tallies, cases, guarded)
    if not alive:
        outcome.faults.append(f"the server has ended:\n{log[-2000:]}")
    return outcome


def name_of(target: str, database: str) -> str:
    return target if target == "gateway" else f"{target} on {database}"


def operations_of(url: str) -> dict[str, bool]:
    """As the server's OpenAPI names them, and whether each asks for a token."""
    paths = httpx.get(f"{url}/openapi.json", timeout=60).raise_for_status().json()["paths"]
    return {
        f"{method.upper()} {path}": bool(operation.get("security"))
        for path, item in paths.items()
        for method, operation in item.items()
    }


def _is_long(cases: int) -> bool:
    return cases > 2 * COVERAGE_CASES * 0.9


class Campaign:
    def __init__(self, send: Send, operations: int, seed: int) -> None:
        self._send, self._operations, self._seed = send, operations, seed

    def run(self, cases: int, identities: list[str], *, covered: bool) -> list[Tally]:
        """An eighth of the cases for all who may do less than an admin, who sends what is left; all without him.

        It ends when a run sent nothing: no other would.
        """
        others = [name for name in identities if name != "admin"]
        theirs = cases // 8 if "admin" in identities else cases
        each = max(1, theirs // max(1, len(others)) // self._operations)
        tallies = [self._send(name, Effort(coverage=False, fuzz=each, walks=0), self._seed) for name in others]
        if "admin" not in identities:
            return tallies
        fuzz = max(2, (cases - COVERAGE_CASES * covered) // 2 // self._operations)
        seed = self._seed
        while True:
            tallies.append(self._send("admin", Effort(covered, fuzz, walks=max(5, cases // 60)), seed))
            sent = [tally.cases.total() for tally in tallies]
            if sum(sent) >= cases or not sent[-1]:
                return tallies
            covered, seed = False, seed + 1


@dataclass(frozen=True)
class Schemathesis:
    """Each run is a process of its own, with its settings and its record in a folder below `reports`."""

    target: str
    site: Target
    reports: Path

    def __call__(self, identity: str, effort: Effort, seed: int) -> Tally:
        folder = self.reports / f"{identity}-{seed}"
        folder.mkdir(exist_ok=True)
        (folder / "schemathesis.toml").write_text(settings_of(self.site.tokens[identity], effort))
        events = folder / "events.ndjson"
        events.unlink(missing_ok=True)  # of a campaign before this one, which was kept here
        words = ["--config-file", str(folder / "schemathesis.toml"), "run", f"{self.site.url}/openapi.json"]
        words += ["--checks", "all", "--seed", str(seed), "--report", "ndjson"]
        words += ["--report-ndjson-path", str(events)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GRAFTWORK_HOSTILE_IDENTITY": identity,
            "GRAFTWORK_HOSTILE_TARGET": self.target,
        }
        with (folder / "output.txt").open("w") as output:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("schemathesis")), *words],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        tally = read_tally(identity, events)
        if done.returncode:
            tally.failures.append((folder / "output.txt").read_text())
        print(f"{identity:10} seed {seed}: {counted(tally.cases)}", flush=True)  # noqa: T201
        return tally
