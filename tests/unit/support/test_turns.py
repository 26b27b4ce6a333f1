"""What takes turns by the day is met by some day's run, and nothing else is left out."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.turns import DAY, whose_turn

TESTS = """
import pytest

@pytest.mark.by_turns
@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_turns(name): pass

@pytest.mark.by_turns
@pytest.mark.parametrize("name", ["four", "five"])
def test_other_turns(name): pass

@pytest.mark.nightly
def test_at_night(): pass

def test_always(): pass
"""


class Seen:
    """Which tests a run meant to run."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = [item.name for item in session.items]


def collected(folder: Path, *words: str) -> list[str]:
    file = folder / "test_planted.py"
    file.write_text(TESTS)
    seen = Seen()
    plugins = ("-p", "tests.support.turns", "-p", "no:cacheprovider", "-p", "no:schemathesis")
    asked = [
        "--collect-only",
        "-q",
        "--import-mode=importlib",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
        *plugins,
        str(file),
        *words,
    ]
    assert pytest.main(asked, plugins=[seen]) == 0
    return seen.names


def test_everybody_has_a_turn_within_as_many_days_as_there_are() -> None:
    assert Counter(whose_turn("abc", day) for day in range(739_950, 739_956)) == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("day", "chosen"),
    [("3", ["test_turns[one]", "test_other_turns[five]"]), ("4", ["test_turns[two]", "test_other_turns[four]"])],
)
def test_a_run_meets_those_whose_day_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str, chosen: list[str]
) -> None:
    monkeypatch.setenv(DAY, day)
    assert collected(tmp_path) == [*chosen, "test_always"]


def test_of_what_was_asked_for_one_is_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DAY, "3")
    assert collected(tmp_path, "-k", "three") == ["test_turns[three]"]


def test_a_whole_run_leaves_nothing_out(tmp_path: Path) -> None:
    assert len(collected(tmp_path, "--whole")) == 7
