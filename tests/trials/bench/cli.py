"""What one verb of the CLI costs: its processor time beside that of only importing the usual HTTP client."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from controlplane.store.database import Database
from tests.support.builders.specs import CURATE
from tests.support.http_server import serving
from tests.support.jobs import Jobs
from tests.support.processes import ROOT
from tests.support.worlds.in_process import InProcess
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Goal, Ratio, alternate

JOBS: Final = 30
"""One page of `job list`."""
TIMES: Final = 5
"""Processes a round, of which the cheapest counts: what others do on the machine only adds."""
GOAL: Final = Goal("at most", 2.0)
NOTE: Final = (
    f"user and system time of the whole process, the least of {TIMES}; `job list` of {JOBS} jobs asks an API that "
    "answers; the alternative imports and does nothing"
)


def measure(options: Options) -> list[Ratio]:
    times = options.size(TIMES, 1)
    with options.parts.database("SQLite") as database, tempfile.TemporaryDirectory() as folder:
        site, token = _site(database), Path(folder) / "token"
        token.write_text(site.tokens["viewer"])
        with serving(site.app) as url:
            verb = ["-m", "controlplane", "job", "list", "--api-url", url, "--token-file", str(token)]
            pairs = alternate(
                options.rounds,
                lambda: _least_milliseconds(verb, times, expected="curate"),
                lambda: _least_milliseconds(["-c", "import httpx"], times),
            )
    name = f"`graftwork job list` of {JOBS} jobs"
    return [Ratio.of(name, "CPU ms", pairs, against="`import httpx`", goal=GOAL, note=NOTE)]


def _site(database: Database) -> InProcess:
    site, jobs = InProcess(database), Jobs(database)
    for _ in range(JOBS):
        jobs.request("curate", CURATE)
    return site


def _least_milliseconds(words: list[str], times: int, expected: str = "") -> float:
    return min(_cpu_seconds(words, expected) for _ in range(times)) * 1000


def _cpu_seconds(words: list[str], expected: str) -> float:
    """The CPU time of one process, as the kernel says when it has ended. Raises when it did not do what is measured."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=out, env={**os.environ, "COLUMNS": "120"})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
    if process.returncode or said.count(expected) < (JOBS if expected else 0):
        raise RuntimeError(f"{' '.join(words)}: exit status {process.returncode}, {said[-500:]!r}")
    return usage.ru_utime + usage.ru_stime
