"""Follows one thing to its end: redrawn on a terminal, told line by line through a pipe."""

import time
from collections.abc import Callable
from typing import TypeVar

from controlplane.cli.output import Terminal
from controlplane.cli.progress import Clock, Line, Waited
from schemas.phases import FINAL_JOB_PHASES, FINAL_ROLLOUT_PHASES, FINAL_STAGE_PHASES

T = TypeVar("T")
EVERY_SECONDS = 10.0
"""What goes on is told so often where nothing is redrawn, and has become another."""
NOT_BEGUN = "Waiting"
STILL = frozenset({NOT_BEGUN, *FINAL_JOB_PHASES, *FINAL_STAGE_PHASES, *FINAL_ROLLOUT_PHASES})
"""Phases in which nothing goes on."""


class Teller:
    """A line when a stage changes, and at most one every ten seconds for what goes on; none says the last one again."""

    def __init__(self, tell: Callable[[str], None], clock: Clock = time.monotonic) -> None:
        self._tell, self._clock = tell, clock
        self._told: dict[str, tuple[tuple[str, int], str, float]] = {}

    def hear(self, waited: Waited) -> None:
        for line in waited.lines:
            self._hear(line, max(len(one.name) for one in waited.lines))

    def _hear(self, line: Line, width: int) -> None:
        state, words, now = (line.phase, line.attempt), line.words, self._clock()
        before, told, at = self._told.get(line.name, ((NOT_BEGUN, line.attempt), line.words, now))
        if state == before and (words == told or line.phase in STILL or now - at < EVERY_SECONDS):
            return
        self._told[line.name] = (state, words, now)
        self._tell(f"   {line.name:{width}s}  {line.phase:11s}  {words}".rstrip())


def watch(screen: Terminal, follow: Callable[[Callable[[T], None]], T], look: Callable[[T], Waited]) -> T:
    """What `follow` answers, and meanwhile `look` at all that it sees, told to whoever waits.

    Through a pipe it is told on standard output; with --json on standard error, which leaves one document on the other.
    """
    if screen.width is not None and not screen.as_json:
        from controlplane.cli.live import live  # here: only a terminal needs rich

        return live(screen, follow, look)
    teller = Teller(screen.remark)
    return follow(lambda found: teller.hear(look(found)))
