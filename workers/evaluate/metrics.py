"""Classification: scores of predicted labels against true ones, each with an interval in closed form."""

from collections import Counter
from collections.abc import Sequence
from itertools import compress

from schemas.evidence import Interval, Measurement, Paired
from workers.evidence.measured import measured
from workers.evidence.paired import pair
from workers.evidence.statistics import wilson


def scores(
    true: Sequence[str], predicted: Sequence[str], labels: Sequence[str], other: Sequence[bool] | None = None
) -> tuple[Measurement, ...]:
    """Accuracy and macro-F1, then recall, precision and F1 of every label of the model.

    `other`: for each row, whether another version answers it right; None: there is no other version.
    """
    right = [label == answer for label, answer in zip(true, predicted, strict=True)]
    hits, guessed, support = Counter(compress(true, right)), Counter(predicted), Counter(true)
    f1s = {label: f1(hits[label], guessed[label], support[label]) for label in labels}
    return (
        measured("accuracy", wilson(sum(right), len(true)), paired=_paired(right, other)),
        measured("macro_f1", macro_f1([f1s[label] for label in labels if support[label]], len(true))),
        *(_recall(label, true, right, other) for label in labels),
        *(measured("precision", wilson(hits[label], guessed[label]), label) for label in labels),
        *(measured("f1", f1s[label], label) for label in labels),
    )


def _recall(label: str, true: Sequence[str], right: Sequence[bool], other: Sequence[bool] | None) -> Measurement:
    its = [one == label for one in true]
    mine, theirs = list(compress(right, its)), None if other is None else list(compress(other, its))
    return measured("recall", wilson(sum(mine), len(mine)), label, paired=_paired(mine, theirs))


def _paired(right: Sequence[bool], other: Sequence[bool] | None) -> Paired | None:
    return None if other is None else pair(list(zip(right, other, strict=True)))


def f1(hits: int, guessed: int, support: int) -> Interval:
    """F1 of one label, on the rows that have it or were answered with it.

    Of these rows the share of hits is a proportion p, and F1 is 2p / (1 + p): so its interval is that of p, mapped.
    """
    share = wilson(hits, guessed + support - hits)
    value, low, high = (2 * p / (1 + p) for p in (share.value, share.low, share.high))
    return Interval(value=value, low=low, high=high, n=share.n)


def macro_f1(f1s: Sequence[Interval], n: int) -> Interval:
    """The mean over the labels that occur in the rows: a label without rows has nothing to be measured on.

    F1s of one evaluation hang together, for an error counts against two labels. A mean varies at most as much as its
    parts do on average, however these hang together: so the mean of their intervals' ends is wide enough, and unlike a
    bootstrap it does not shrink to nothing where every row is right.
    """
    if not f1s:
        return wilson(0, 0)
    value, low, high = (sum(ends) / len(f1s) for ends in zip(*((f.value, f.low, f.high) for f in f1s), strict=True))
    return Interval(value=value, low=low, high=high, n=n)
