"""What is refused on arrival, before it is a unit of any arm: what no version can take, and what would begin too late.

The deadline is the first token's. As in the engine of graphs, each version's queue is judged by the *stable* version's
pace: a queue that stable could not work off is the load's fault, one that only a slow or wordy canary does not work
off is the canary's.
"""

from collections.abc import Sequence

from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode.bases import Bases, Loaded
from workers.serve.engines.decode.forecast import PROMPT_TOKENS, Measured, alone_seconds
from workers.serve.engines.decode.lanes import MAX_WAITING
from workers.serve.engines.decode.questions import Question
from workers.serve.engines.refusals import Refusals
from workers.tasks.text_generation.writing import Asked


class Admission:
    """Raises Problem; what passes may begin its unit."""

    def __init__(self, bases: Bases, metrics: Metrics) -> None:
        self._bases, self._refusals = bases, Refusals(metrics)

    def check_deadline(self, questions: Sequence[Question], drawable: Sequence[ServedVersion], seconds: float) -> None:
        """Before the arm is drawn, so that a refusal chooses none: also of a prompt that one version cannot take.

        A request that only the arm that was drawn refused would take units from that arm alone.
        """
        versions = [loaded for version in drawable if (loaded := self._bases.find(version)) is not None]
        prompts = [[question.prompt(version) for question in questions] for version in versions]
        paces = [pace for one in versions if (pace := one.base.scheduler.measured(one.name)) is not None]
        if not paces:
            return
        # stable is first; only where it is never drawn, or has answered nothing yet, the canary speaks for itself
        for version, asked in zip(versions, prompts, strict=True):
            self._check(version, asked, paces[0], seconds)

    def check_room(self, questions: Sequence[Question], version: ServedVersion) -> None:
        """Whether the queue of the version that was drawn can hold the texts."""
        loaded = self._bases.find(version)
        if loaded is not None and not loaded.base.scheduler.has_room(loaded.name, len(questions)):
            raise self._refusals.no_room(MAX_WAITING, "texts")

    def _check(self, version: Loaded, prompts: Sequence[list[int]], pace: Measured, deadline: float) -> None:
        tokens = [len(prompt) for prompt in prompts]
        scheduler = version.base.scheduler
        alone = alone_seconds(tokens, pace)
        expected = max(alone, scheduler.first_token_seconds(version.name, tokens, pace))
        if expected <= deadline:
            return
        shortest = min(prompts, key=len)[:PROMPT_TOKENS]
        scheduler.measure_again(version.request(Asked(max_tokens=1, temperature=0), shortest, reader=None))
        if alone > deadline:
            takes = f"to read {sum(tokens)} tokens takes about {alone:.1f} s even if nothing else waits"
            raise self._refusals.too_large(f"{takes}, and the deadline of the first token is {deadline:g} s")
        raise self._refusals.too_late("a first token", expected, deadline)
