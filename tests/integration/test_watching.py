"""Verbs that wait, through a real pipe: whoever reads it hears of each stage while it goes on."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from controlplane.client.client import Client
from controlplane.store.database import Database
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE
from tests.support.http_server import serving
from tests.support.jobs import Jobs
from tests.support.worlds.in_process import InProcess

Started = subprocess.Popen[str]
Start = Callable[..., Started]


@pytest.fixture
def jobs(sqlite_database: Database) -> Jobs:
    return Jobs(sqlite_database)


@pytest.fixture
def url(sqlite_database: Database, tmp_path: Path) -> Iterator[str]:
    site = InProcess(sqlite_database)
    (tmp_path / "token").write_text(site.tokens["admin"])
    with serving(site.app) as url:
        yield url


@pytest.fixture
def client(url: str, tmp_path: Path) -> Client:
    return Client(url, (tmp_path / "token").read_text())


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Start]:
    """A verb in a process of its own, which writes into pipes."""
    started: list[Started] = []

    def one(*words: str) -> Started:
        reached = ["--api-url", url, "--token-file", str(tmp_path / "token"), "--home", str(tmp_path / "home")]
        command = [sys.executable, "-m", "controlplane", *words, *reached]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def words_of_next_line(stream: IO[str] | None) -> list[str]:
    assert stream is not None
    return stream.readline().split()


def rest(stream: IO[str] | None) -> str:
    """Read from the stream itself: `communicate` would miss what it has read ahead."""
    assert stream is not None
    return stream.read()


def begin(jobs: Jobs) -> Any:
    claim = jobs.claimed()
    jobs.beat(claim, step=3)
    return claim


def test_a_job_is_told_while_it_runs(start: Start, jobs: Jobs) -> None:
    job = jobs.request()
    claim = begin(jobs)
    waiting = start("job", "get", str(job), "-w")
    assert words_of_next_line(waiting.stdout) == ["curate", "Running", "3/10", "parts", "(30", "%)"]
    jobs.complete(claim, curated())
    assert words_of_next_line(waiting.stdout) == ["curate", "Succeeded"]
    assert "Succeeded" in rest(waiting.stdout)
    assert (waiting.wait(60), rest(waiting.stderr)) == (0, "")


def test_with_json_it_is_told_beside_the_document(start: Start, jobs: Jobs) -> None:
    job = jobs.request()
    claim = begin(jobs)
    waiting = start("job", "get", str(job), "-w", "--json")
    assert words_of_next_line(waiting.stderr)[:2] == ["curate", "Running"]
    jobs.complete(claim, curated())
    assert json.loads(rest(waiting.stdout))["phase"] == "Succeeded"


def test_a_run_is_told_stage_by_stage(start: Start, jobs: Jobs, client: Client) -> None:
    stages = {"first": {"kind": "curate", "spec": CURATE}}
    client.put_pipeline({"name": "reviews", "stages": stages | {"then": stages["first"] | {"needs": ["first"]}}})
    waiting = start("pipeline", "run", "reviews", "-w")
    assert words_of_next_line(waiting.stdout) == ["first", "Pending"]
    claim = begin(jobs)
    assert words_of_next_line(waiting.stdout)[:3] == ["first", "Running", "3/10"]
    jobs.complete(claim, curated())
    assert words_of_next_line(waiting.stdout) == ["first", "Succeeded"]
    assert words_of_next_line(waiting.stdout) == ["then", "Pending"]
    jobs.complete(jobs.claimed(), curated())
    assert words_of_next_line(waiting.stdout) == ["then", "Succeeded"]
    assert waiting.wait(60) == 0


def test_an_import_is_told_while_it_is_curated(start: Start, jobs: Jobs, client: Client, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\none,a\ntwo,b\n")
    waiting = start("dataset", "import", "reviews", str(rows))
    assert words_of_next_line(waiting.stdout) == ["curate", "Pending"]
    claim = begin(jobs)
    assert words_of_next_line(waiting.stdout) == ["curate", "Running", "3/10", "parts", "(30", "%)"]
    jobs.complete(claim, curated())
    assert waiting.wait(60) == 0
