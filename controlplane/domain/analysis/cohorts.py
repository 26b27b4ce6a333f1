"""Labels join the units that they are of: cohorts by time of serving, folded once their labels were waited for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

from controlplane.domain.analysis.arrivals import Draft, arm_counts
from controlplane.domain.analysis.eprocess import Counts
from schemas.rollouts import CanaryPolicy
from schemas.serving import Arm


class Label(NamedTuple):
    """One label of a counted unit: when the unit arrived and when its label came, both in the gateway's clock."""

    generation: int
    arm: Arm
    wrong: bool
    second: int
    stored_second: int
    key: str | None = None
    """Its session's key hash; None for a unit without one."""
    number: int = 1
    """How many alike, where there is no key."""


def label_wait(policy: CanaryPolicy) -> int:
    return ceil(policy.label_wait_seconds)


def due_second(label: Label, wait: int) -> int:
    """The arrival second at whose maturity a label is taken: its own, or the one that is waited for when it comes."""
    return max(label.second, label.stored_second - wait)


class Cohorts:
    """Blocks of arrivals, open ones too, and the labels that come for them until each has been waited for."""

    def __init__(self, wait: int, blocks: Iterable[Draft]) -> None:
        self._wait = wait
        self._blocks: dict[int, list[Draft]] = defaultdict(list)
        for block in blocks:
            self._blocks[block.generation].append(block)
        self.late = Counts()

    def advance(self, labels: Sequence[Label], since: int, until: int) -> Iterator[Draft]:
        """The cohorts that mature up to this second, in order; each holds what had come by then."""
        taken = defaultdict(list)
        for label in labels:
            if since < (due := due_second(label, self._wait)) <= until:
                taken[due].append(label)
        closing = defaultdict(list)
        for block in self.waiting():
            if block.closed is not None:
                closing[block.closed].append(block)
        for second in sorted({*taken, *(closed for closed in closing if closed <= until)}):
            for label in taken[second]:
                self._take(label)
            for block in closing[second]:
                self._blocks[block.generation].remove(block)
                yield block

    def waiting(self) -> Iterator[Draft]:
        """Those that have not matured, by generation and time."""
        for _, blocks in sorted(self._blocks.items()):
            yield from blocks

    def _take(self, label: Label) -> None:
        counts = arm_counts(label.arm, label.number, label.number if label.wrong else 0)
        block = next((one for one in self._blocks[label.generation] if one.holds(label.second)), None)
        if block is None:
            self.late = self.late.plus(counts)
        else:
            block.label(label.second, counts)
