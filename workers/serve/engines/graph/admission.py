"""What is refused on arrival, before it is a unit of any arm: a request that would not be done by its deadline.

Such a request is turned away before its arm is drawn, by what it would cost in every lane that it could be drawn to.
So a refusal chooses no arm, and what is counted stays a fair sample. All lanes are judged by the *stable* version's
pace: a queue that stable could not work off is the load's fault, and nobody's error; one that only a slow or hanging
canary does not work off is the canary's, and whoever is drawn to it and waits in vain is counted as its error.
"""

from collections.abc import Sequence

from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.graph.batcher import MAX_WAITING_ROWS, Batcher, Lane
from workers.serve.engines.refusals import Refusals


class Admission:
    """Raises Problem; what passes may begin its unit."""

    def __init__(self, batcher: Batcher, metrics: Metrics) -> None:
        self._batcher, self._refusals = batcher, Refusals(metrics)

    def check_deadline(self, texts: Sequence[str], drawable: Sequence[ServedVersion], seconds: float) -> None:
        """Before the arm is drawn."""
        lanes = [self._batcher.lane(version) for version in drawable]
        paces = [pace for lane in lanes if (pace := lane.seconds_per_token) is not None]
        if not paces:
            return
        # stable is first; only where it is never drawn, or has answered nothing yet, the canary speaks for itself
        for lane in lanes:
            self._check(lane, texts, paces[0], seconds)

    def check_room(self, texts: Sequence[str], version: ServedVersion) -> None:
        """Whether the lane that was drawn can hold the rows: what waits in it is bounded in memory, whoever is slow."""
        if not self._batcher.lane(version).has_room(len(texts)):
            raise self._refusals.no_room(MAX_WAITING_ROWS, "rows")

    def _check(self, lane: Lane, texts: Sequence[str], pace: float, deadline: float) -> None:
        alone = lane.alone_seconds(texts, pace)
        if alone > deadline:
            lane.measure_again(min(texts, key=len))
            raise self._refusals.too_large(_too_large(texts, alone, deadline))
        expected = lane.forecast_seconds(texts, pace)
        if expected > deadline:
            lane.measure_again(min(texts, key=len))
            raise self._refusals.too_late("an answer", expected, deadline)


def _too_large(texts: Sequence[str], alone: float, deadline: float) -> str:
    rows = f"{len(texts)} rows" if len(texts) > 1 else "one row"
    fitting = int(len(texts) * deadline / alone)
    hint = f"send at most {fitting} rows of this length at once" if fitting else "send shorter texts"
    takes = f"{rows} of this length take about {alone:.1f} s even if nothing else waits"
    return f"{takes}, and the deadline is {deadline:g} s: {hint}"
