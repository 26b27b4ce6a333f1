"""How long a child of the supervisor waits before it is started again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli.processes.supervisor import LONGEST_WAIT_SECONDS, Child


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """One that ends at once."""
    made = Child("short", ["this"], {}, tmp_path / "short.log")
    yield made
    if made.process:
        made.process.wait()


def start_again(child: Child, now: float) -> float:
    """How long it has to wait if it dies now."""
    if child.process:
        child.process.wait()
    child.start_again(now)
    return child.not_before - now


def test_who_dies_young_waits_longer_each_time_up_to_a_limit(child: Child) -> None:
    child.start()
    waits = [start_again(child, child.started_at + 1) for _ in range(6)]
    assert waits == pytest.approx([2, 4, 8, 16, 30, 30])  # a clock that has run for hours has few digits left


def test_a_long_life_is_forgiven_the_deaths_before_it(child: Child) -> None:
    child.start()
    for _ in range(5):
        start_again(child, time.monotonic())
    assert start_again(child, child.started_at + LONGEST_WAIT_SECONDS + 1) == pytest.approx(2)
