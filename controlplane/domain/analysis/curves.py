"""The evidence of a rollout as it grew: each closed block adds a point to the curve of its metric."""

from typing import NamedTuple

from controlplane.domain.analysis.blocks import add_block
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import MetricState
from schemas.rollouts import CanaryPolicy


class Point(NamedTuple):
    """A metric's evidence right after a block was closed."""

    second: int
    """The block's last second of arrival."""
    generation: int
    harm: float
    """Natural logarithm of the evidence for HARM."""
    safe: float
    """Natural logarithm of the evidence for SAFE."""
    counts: Counts
    """Units and events of this block and of those before it, in each arm."""


def evidence_curve(policy: CanaryPolicy, metric: MetricState) -> list[Point]:
    """Made anew from the closed blocks, as `graftwork why` does it: no stored e-value is believed."""
    made, counts, found = MetricState(name=metric.name), Counts(), []
    for block in metric.closed:
        after, counts = add_block(policy, made, block), counts.plus(block.counts)
        found.append(Point(block.closed, block.generation, after.harm_now(), after.safe, counts))
        made = after.model_copy(update={"closed": ()})  # no block looks back at others: to drag them along is quadratic
    return found
