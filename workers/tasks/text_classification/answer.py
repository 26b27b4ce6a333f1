"""What a text classification answers: a label, and a score for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.base.arrays import Logits


@dataclass(frozen=True)
class LabelScores:
    label: str
    """The one with the greatest score."""
    scores: Mapping[str, float]
    """Each label's, in the version's order; they sum to 1."""


def answer_of(logits: Logits, labels: Sequence[str]) -> LabelScores:
    """One row's, by softmax."""
    weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    scores = (float(score) for score in weights / weights.sum())
    return LabelScores(labels[int(logits.argmax())], dict(zip(labels, scores, strict=True)))
