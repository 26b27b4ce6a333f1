"""Fair queueing between requests: whoever has had the least of the lane is served next.

Self-clocked fair queueing (Golestani, 1994, https://doi.org/10.1109/INFCOM.1994.337677): a flow is one request, a
packet one row, its length the row's cost in tokens. The lane's virtual time is the finish tag of the row taken last,
and a new request begins at it. So a request of few tokens passes a large one that is under way, whatever came first,
and a large one keeps its share when small ones never stop.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workers.serve.sessions import Logits


@dataclass(eq=False)
class Flow:
    """One request's rows, and how far they are."""

    texts: Sequence[str]
    weights: Sequence[int]
    """Of each row, in tokens."""
    finish: int = 0
    """The finish tag of its last row that was taken."""
    remaining: int = field(init=False)
    """Tokens that are not computed yet."""
    _waiting: deque[int] = field(init=False)
    _computed: dict[int, Logits] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.remaining = sum(self.weights)
        # rows of like lengths together: they are padded less
        self._waiting = deque(sorted(range(len(self.texts)), key=self.weights.__getitem__))

    @property
    def waiting_rows(self) -> int:
        return len(self._waiting)

    @property
    def taken_rows(self) -> int:
        return len(self.texts) - len(self._waiting)

    @property
    def next_weight(self) -> int:
        return self.weights[self._waiting[0]]

    def take(self) -> int:
        self.finish += self.next_weight
        return self._waiting.popleft()

    def keep(self, rows: Sequence[int], logits: Logits) -> None:
        self._computed.update(zip(rows, logits, strict=True))
        self.remaining -= sum(self.weights[row] for row in rows)

    @property
    def complete(self) -> bool:
        return len(self._computed) == len(self.texts)

    def logits(self) -> Logits:
        """In the order of the texts."""
        return np.stack([self._computed[row] for row in range(len(self.texts))])


Slice = tuple[Flow, list[int]]
"""Some rows of one request."""


class FairQueue:
    """Not thread-safe. A flow stays from `add` until `remove`, so that what is being computed counts as ahead too."""

    def __init__(self) -> None:
        self._virtual = 0
        self._flows: dict[Flow, None] = {}
        self._heap: list[tuple[int, int, int, Flow]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._flows)

    @property
    def waiting_rows(self) -> int:
        return sum(flow.waiting_rows for flow in self._flows)

    def add(self, flow: Flow) -> None:
        flow.finish = self._virtual
        self._flows[flow] = None
        self._push(flow)

    def remove(self, flow: Flow) -> None:
        """It is complete, has failed or was given up: no row of it is taken again."""
        self._flows.pop(flow, None)

    def ahead_of(self, tokens: int) -> int:
        """Tokens that are computed before a new request of so many is done, if no further one comes."""
        return sum(min(flow.remaining, tokens) for flow in self._flows)

    def take(self, tokens: float, rows: int) -> list[Slice]:
        """The next micro-batch, within both bounds but for its first row; empty: nothing waits."""
        taken: dict[Flow, list[int]] = {}
        total = count = 0
        while count < rows and (flow := self._first()) is not None:
            weight = flow.next_weight
            if count and total + weight > tokens:
                break
            heapq.heappop(self._heap)
            taken.setdefault(flow, []).append(flow.take())
            total, count = total + weight, count + 1
            self._virtual = flow.finish
            if flow.waiting_rows:
                self._push(flow)
        return list(taken.items())

    def _first(self) -> Flow | None:
        while self._heap and self._heap[0][-1] not in self._flows:
            heapq.heappop(self._heap)
        return self._heap[0][-1] if self._heap else None

    def _push(self, flow: Flow) -> None:
        """Of two that finish at one time, the one that has had fewer rows is first, and then the older one."""
        self._added += 1
        heapq.heappush(self._heap, (flow.finish + flow.next_weight, flow.taken_rows, self._added, flow))
