"""Waits on a condition with a deadline: tests never sleep for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, *, seconds: float = 30) -> T:
    """The condition's first true answer; fails, saying what was awaited and its last answer, after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {seconds} s (last answer: {answer!r})")
        time.sleep(0.05)
