"""How an engine refuses on arrival what would not be answered in time: 503, counted by its reason."""

import math

from workers.serve.counting.metrics import Metrics
from workers.serve.problems import Problem

MAX_RETRY_SECONDS = 60
"""Seconds that `Retry-After` says, at most: a load changes sooner than a forecast knows."""


class Refusals:
    """Makes the Problems; whoever asks raises them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def no_room(self, count: int, what: str) -> Problem:
        """So many of `what` wait: as many as may."""
        detail = f"{count} {what} wait already; try again shortly"
        return self._made("queue", "overloaded", f"Too many {what} wait", detail)

    def too_large(self, detail: str) -> Problem:
        """It would take too long even if nothing else waited."""
        return self._made("too-large", "too-large-for-deadline", "The request is too large for its deadline", detail)

    def too_late(self, what: str, expected: float, deadline: float) -> Problem:
        """`what`: of an answer would take so long now. Unit: seconds."""
        detail = f"{what} would take about {expected:.1f} s now, and the deadline is {deadline:g} s"
        wait = min(MAX_RETRY_SECONDS, math.ceil(expected - deadline))
        return self._made("deadline", "overloaded", "Too much waits", detail, wait)

    def _made(self, reason: str, slug: str, title: str, detail: str, retry_after: int = 1) -> Problem:
        self._metrics.refused.labels(reason).inc()
        return Problem(503, slug, title, detail, retry_after=retry_after)
