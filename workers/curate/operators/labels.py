"""A label as its source has it, turned into one of the dataset's labels."""

import math
from collections.abc import Sequence

from schemas.jobs import Source
from workers.curate.rows import Reason, character_fault


def label_of(value: object, source: Source, labels: Sequence[str]) -> tuple[str | None, Reason | None]:
    """The label, or why there is none."""
    if source.label_thresholds is not None:
        return _by_threshold(value, source.label_thresholds, labels)
    if isinstance(value, bool):
        label = str(value).lower()
    elif isinstance(value, str | int):
        label = str(value).strip()
    else:
        return None, "not_text"
    fault = character_fault(label) if label else "null"
    if fault is not None:
        return None, fault
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
