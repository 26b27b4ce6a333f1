"""A measurement as a handler makes it: a metric of the contract with an interval that is honest for it."""

from schemas.evidence import Interval, Measurement, Paired, PairedMean
from schemas.metrics import METRICS, MetricName
from workers.evidence.means import Estimate


def measured(
    metric: MetricName,
    interval: Interval | Estimate,
    slice_: str | None = None,
    *,
    unknown: int = 0,
    paired: Paired | PairedMean | None = None,
) -> Measurement:
    return Measurement(
        metric=metric,
        slice=slice_,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=interval.n,
        unknown=unknown,
        direction=METRICS[metric].direction,
        paired=paired,
    )
