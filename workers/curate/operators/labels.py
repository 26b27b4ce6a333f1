"""A label as its source has it, turned into one of the dataset's labels."""

import math
from collections.abc import Sequence

from schemas.jobs.curate import Source
from schemas.labels import NotALabel, canonical_label
from workers.curate.rows import Reason


def label_of(value: object, source: Source, labels: Sequence[str]) -> tuple[str | None, Reason | None]:
    """The label, or why there is none."""
    if source.label_thresholds is not None:
        return _by_threshold(value, source.label_thresholds, labels)
    try:
        label = canonical_label(value)
    except NotALabel as error:
        return None, error.fault
    if label is None:
        return None, "empty_label"
    return (label, None) if not labels or label in labels else (None, "unknown_label")


def _by_threshold(
    value: object, thresholds: tuple[float, float], labels: Sequence[str]
) -> tuple[str | None, Reason | None]:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return None, "label_not_a_number"
    low, high = thresholds
    if number <= low:
        return labels[0], None
    return (labels[1], None) if number >= high else (None, "label_between_thresholds")
