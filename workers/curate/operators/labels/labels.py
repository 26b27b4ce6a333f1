"""The labels that a dataset may have, and what a number means as one of them."""

import math
from dataclasses import replace

from schemas.data.operators import Labels
from workers.curate.operators.operator import each
from workers.data.numbers import number_in
from workers.data.rows import TextLabel


def judge(row: TextLabel, settings: Labels) -> TextLabel | str:
    if settings.thresholds is not None:
        return _by_thresholds(row, settings.labels, settings.thresholds)
    return row if row.label in settings.labels else "unknown_label"


def _by_thresholds(row: TextLabel, labels: tuple[str, ...], thresholds: tuple[float, float]) -> TextLabel | str:
    number = number_in(row.label)
    if math.isnan(number):
        return "label_not_a_number"
    low, high = thresholds
    if low < number < high:
        return "label_between_thresholds"
    return replace(row, label=labels[0] if number <= low else labels[1])


apply = each(judge)
