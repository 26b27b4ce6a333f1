"""Plays imagined rollouts in this process, or in several at once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context

from controlplane.simulation.report import play
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.trial import Outcome
from schemas.rollouts import CanaryPolicy

SEEDS_APART = 1_000_000_000
CHUNK = 25
"""Runs that a process plays at once."""


class Players:
    """One policy, the same seeds in every world."""

    def __init__(self, policy: CanaryPolicy, seeds: range, jobs: int) -> None:
        self._policy, self._seeds = policy, seeds
        self._pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs > 1 else None

    def __enter__(self) -> "Players":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def play(self, worlds: Sequence[tuple[Scenario, str]]) -> Iterator[list[Outcome]]:
        """Each world's outcomes under a contender, in order, as soon as they are complete."""
        chunks = [self._seeds[start : start + CHUNK] for start in range(0, len(self._seeds), CHUNK)]
        waiting = [self._start(scenario, contender, chunks) for scenario, contender in worlds]
        for outcomes in waiting:
            yield list(chain.from_iterable(outcomes))

    def _start(self, scenario: Scenario, contender: str, chunks: Sequence[range]) -> Iterator[list[Outcome]]:
        if self._pool is None:
            return (play(self._policy, scenario, contender, chunk) for chunk in chunks)
        futures = [self._pool.submit(play, self._policy, scenario, contender, chunk) for chunk in chunks]
        return (future.result() for future in futures)
