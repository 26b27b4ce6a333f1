"""Scores of predicted labels against true ones."""

from collections import Counter
from collections.abc import Sequence

from schemas.evidence import Interval
from schemas.jobs.evaluate import ClassScore
from workers.runtime.statistics import wilson


def accuracy(true: Sequence[str], predicted: Sequence[str]) -> Interval:
    return wilson(sum(a == b for a, b in zip(true, predicted, strict=True)), len(true))


def per_class(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, ClassScore]:
    """Precision, recall, F1 and support of every label of the model; a ratio without a denominator is 0."""
    hits = Counter(a for a, b in zip(true, predicted, strict=True) if a == b)
    support, guessed = Counter(true), Counter(predicted)
    return {
        label: ClassScore(
            precision=_ratio(hits[label], guessed[label]),
            recall=_ratio(hits[label], support[label]),
            f1=_ratio(2 * hits[label], guessed[label] + support[label]),
            support=support[label],
        )
        for label in labels
    }


def macro_f1(scores: dict[str, ClassScore]) -> float:
    """The mean over the labels that occur in the rows: a label without rows has nothing to be measured on."""
    present = [score.f1 for score in scores.values() if score.support]
    return sum(present) / len(present) if present else 0.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
