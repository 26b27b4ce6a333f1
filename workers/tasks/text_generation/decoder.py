"""What evaluation asks of whatever runs a decoder: greedy answers, and how likely given completions are."""

from collections.abc import Sequence
from typing import Protocol

from workers.tasks.text_generation.examples import Example


class Decoder(Protocol):
    """An engine that holds versions by name."""

    def generate(
        self, prompts: Sequence[Sequence[int]], version: str, max_new_tokens: int, stop_ids: Sequence[int]
    ) -> list[list[int]]:
        """The greedy answer to each prompt, up to the first of `stop_ids` and without it."""
        ...

    def log_likelihoods(self, examples: Sequence[Example], version: str) -> list[list[float]]:
        """For each example the log-probability of each of its learnt tokens, given all before it. Unit: nats."""
        ...
