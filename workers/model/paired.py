"""Two versions beside each other on the same rows."""

from collections.abc import Sequence

from schemas.evidence import Paired
from schemas.model.references import GraphRef, ModelRef
from workers.runtime.statistics import Counts, paired_difference


def pair(against: ModelRef, graph: GraphRef, happened: Sequence[tuple[bool, bool]]) -> Paired:
    """`happened`: for each row, whether it happened to this version, and whether to the other."""
    counts = Counts(
        both=happened.count((True, True)),
        only_this=happened.count((True, False)),
        only_other=happened.count((False, True)),
        neither=happened.count((False, False)),
    )
    difference, low, high = paired_difference(counts)
    return Paired(
        against=against.id,
        graph=graph,
        both=counts.both,
        only_this=counts.only_this,
        only_other=counts.only_other,
        neither=counts.neither,
        difference=difference,
        low=low,
        high=high,
    )
