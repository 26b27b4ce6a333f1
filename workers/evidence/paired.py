"""Two versions beside each other on the same rows."""

from collections.abc import Sequence
from dataclasses import asdict

from schemas.evidence import Paired
from workers.evidence.statistics import Counts, paired_difference


def pair(happened: Sequence[tuple[bool, bool]]) -> Paired:
    """`happened`: for each row, whether it happened to this version, and whether to the other."""
    counts = Counts(
        both=happened.count((True, True)),
        only_this=happened.count((True, False)),
        only_other=happened.count((False, True)),
        neither=happened.count((False, False)),
    )
    difference, low, high = paired_difference(counts)
    return Paired(**asdict(counts), difference=difference, low=low, high=high)
