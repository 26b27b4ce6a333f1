"""Where verbs find the API, and how its slow start is told."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from controlplane.cli.processes.supervisor import API_SECONDS, CannotStart, Child, wait_for_api
from controlplane.settings import Settings

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Child]:
    """A process that lives, and never answers."""
    made = Child("api", [], {}, tmp_path / "api.log")
    made.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield made
    made.process.kill()
    made.process.wait()


def test_a_home_alone_finds_the_site_that_came_up_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFTWORK_PORT", raising=False)
    monkeypatch.delenv("GRAFTWORK_API_URL", raising=False)
    assert Settings(home=tmp_path).resolved_api_url() == "http://127.0.0.1:8700"
    Settings(home=tmp_path).api_url_file().write_text("http://127.0.0.1:8800\n")
    assert Settings(home=tmp_path).resolved_api_url() == "http://127.0.0.1:8800"
    assert Settings(home=tmp_path).served_api_url() == "http://127.0.0.1:8700", "the next `up` asks for its own port"
    assert Settings(home=tmp_path, port=8900).resolved_api_url() == "http://127.0.0.1:8900"
    assert Settings(home=tmp_path, api_url="http://elsewhere").resolved_api_url() == "http://elsewhere"


def test_an_api_that_is_slow_is_waited_for_and_a_failure_only_at_the_deadline(slow: Child) -> None:
    told: list[str] = []
    seconds = (float(10 * turn) for turn in count())
    with pytest.raises(CannotStart, match=rf"was not ready in {API_SECONDS:.0f} s; see .*api\.log"):
        wait_for_api(slow, NOBODY, told.append, lambda: next(seconds))
    assert told[0] == f"waiting for the API to start, 10 s so far (at most {API_SECONDS:.0f} s) …"
    assert len(told) == API_SECONDS / 10 - 1


def test_an_api_whose_process_has_ended_is_a_failure_at_once(slow: Child) -> None:
    assert slow.process
    slow.process.kill()
    slow.process.wait()
    told: list[str] = []
    with pytest.raises(CannotStart, match=r"the API ended after \d+ s; see .*api\.log"):
        wait_for_api(slow, NOBODY, told.append)
    assert told == []
