"""Which token comes next: the most probable one, or one that is drawn."""

from typing import Final

import numpy as np
import numpy.typing as npt

from workers.base.arrays import Floats

_SEEDS: Final = 1 << 64
"""A caller's seed may be any integer; the generator takes none below zero."""


class Sampler:
    """One text's draws. Its generator is its own, so whatever else is written beside it draws nothing from it.

    Logits of one text may differ in their last bits with the texts beside it: a draw that falls between two tokens to
    that precision, or two logits that are as near, may then turn out otherwise.
    """

    def __init__(self, temperature: float, top_p: float, seed: int | None) -> None:
        self._temperature, self._top_p = temperature, top_p
        self._generator = np.random.default_rng(None if seed is None else seed % _SEEDS)

    def choose(self, logits: Floats) -> int:
        if self._temperature == 0:
            return int(logits.argmax())
        wide = logits.astype(np.float64)
        weights = np.exp((wide - wide.max()) / self._temperature)
        probabilities = weights / weights.sum()
        tokens = self._nucleus(probabilities)
        reached = probabilities[tokens].cumsum()
        drawn = np.searchsorted(reached, self._generator.random() * reached[-1], side="right")
        return int(tokens[min(drawn, len(tokens) - 1)])

    def _nucleus(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The fewest tokens that together have probability `top_p` (https://arxiv.org/abs/1904.09751)."""
        if self._top_p >= 1:
            return np.arange(len(probabilities))
        # all tokens below this bound have less than 1 - top_p together: sorting them too would take most of the time
        bound = (1 - self._top_p) / len(probabilities)
        tokens = np.flatnonzero(probabilities >= bound)
        tokens = tokens[np.argsort(-probabilities[tokens], kind="stable")]
        needed = np.searchsorted(probabilities[tokens].cumsum(), self._top_p) + 1
        return tokens[:needed]
