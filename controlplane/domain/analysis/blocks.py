"""Blocks of one metric: they close by time and by the counts of both arms, never by outcomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.domain.analysis.eprocess import Counts, harm_factors, harm_log_e, safe_factor
from controlplane.domain.analysis.state import Block, MetricState, OpenBlock, StepUnits
from schemas.rollouts import CanaryPolicy, Metric

EMPTY: Final[Mapping[int, Counts]] = {}


@dataclass(frozen=True)
class Feed:
    """What one metric gets in one fold: counts by second and generation, after `since` and up to `until`."""

    since: int
    until: int
    seconds: Mapping[int, Mapping[int, Counts]]
    steps: Mapping[int, int]
    """Generation to step."""
    generations_end: bool
    """False for labels: one of an old generation may be stored at any time, so its block waits for both arms."""


def advance(policy: CanaryPolicy, state: MetricState, feed: Feed) -> MetricState:
    """Second by second, so that the result does not depend on where one fold ended and the next began."""
    books = _Books(policy, state)
    for second in _seconds(feed, waiting=bool(state.open)):
        present = feed.seconds.get(second, EMPTY)
        books.add(second, present, feed.steps)
        books.close_due(second)
        if feed.generations_end:
            books.close_over(second, present)
    return books.balance()


def _seconds(feed: Feed, *, waiting: bool) -> Iterator[int]:
    """Every second when a block may fall due, else from the first one that holds anything."""
    first = feed.since + 1 if waiting else min(feed.seconds, default=feed.until + 1)
    yield from range(first, feed.until + 1)


class _Books:
    """A metric's state while it is being folded."""

    def __init__(self, policy: CanaryPolicy, state: MetricState) -> None:
        self._policy, self._state = policy, state
        self._metric: Metric = next(metric for metric in policy.metrics if metric.name == state.name)
        self._open = {block.generation: block for block in state.open}
        self._closed = list(state.closed)
        self._steps = {entry.step: entry.counts for entry in state.steps}
        self._newest, self._dropped = state.newest, state.dropped
        self._forecast = state.forecast
        self._harm, self._harm_peak, self._safe = list(state.harm), state.harm_peak, state.safe

    def add(self, second: int, present: Mapping[int, Counts], steps: Mapping[int, int]) -> None:
        self._newest = max(self._newest, *present) if present else self._newest
        for generation, counts in sorted(present.items()):
            if not counts.units:
                continue
            block = self._open.get(generation) or OpenBlock(generation, second, Counts())
            self._open[generation] = block._replace(counts=block.counts.plus(counts))
            step = steps[generation]
            self._steps[step] = self._steps.get(step, Counts()).plus(counts)

    def close_due(self, second: int) -> None:
        for block in sorted(self._open.values()):
            if block.counts.both_arms and second + 1 - block.opened >= self._policy.tick_seconds:
                self._close(block, second)

    def close_over(self, second: int, present: Mapping[int, Counts]) -> None:
        """A generation is over once a newer one was met and a whole second passed without it."""
        for block in sorted(self._open.values()):
            if block.generation >= self._newest or block.generation in present:
                continue
            if block.counts.both_arms:
                self._close(block, second)
            else:
                del self._open[block.generation]
                self._dropped = self._dropped.plus(block.counts)

    def balance(self) -> MetricState:
        return self._state.model_copy(
            update={
                "forecast": self._forecast,
                "harm": tuple(self._harm),
                "harm_peak": self._harm_peak,
                "safe": self._safe,
                "newest": self._newest,
                "open": tuple(sorted(self._open.values())),
                "closed": tuple(self._closed),
                "steps": tuple(StepUnits(step, counts) for step, counts in sorted(self._steps.items())),
                "dropped": self._dropped,
            }
        )

    def replay(self, block: Block) -> None:
        """The bet of one closed block, made from the blocks before it."""
        counts, rate = block.counts, self._forecast.rate(self._metric.prior)
        factors = harm_factors(counts, rate)
        self._harm = [value + factor for value, factor in zip(self._harm, factors, strict=True)]
        self._harm_peak = max(self._harm_peak, harm_log_e(self._harm))
        self._safe += safe_factor(counts, rate, self._metric.margin)
        self._forecast = self._forecast.after(counts, self._policy.forgetting)
        self._closed.append(block)

    def _close(self, block: OpenBlock, second: int) -> None:
        del self._open[block.generation]
        self.replay(Block(block.generation, block.opened, second, block.counts))


def replay(policy: CanaryPolicy, state: MetricState) -> MetricState:
    """The same metric with its evidence made anew from its closed blocks alone."""
    blank = MetricState(name=state.name)
    keep = {name: getattr(state, name) for name in ("newest", "open", "steps", "dropped")}
    books = _Books(policy, blank.model_copy(update=keep))
    for block in state.closed:
        books.replay(block)
    return books.balance()
