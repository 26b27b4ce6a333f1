"""Fair queueing between requests: whoever has had the least of the lane is served next.

Self-clocked fair queueing (Golestani, 1994, https://doi.org/10.1109/INFCOM.1994.337677): a flow is one request, a
packet one row, its length the row's cost in tokens times the flow's price. The lane's virtual time is the latest
finish tag of a row that was taken, and a new request begins at it. So a request of few tokens passes a large one that
is under way, whatever came first, and a large one keeps its share when small ones never stop.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workers.base.arrays import Logits


@dataclass(eq=False)
class Flow:
    """One request's rows, and how far they are."""

    texts: Sequence[str]
    weights: Sequence[int]
    """The cost of each row, in tokens."""
    price: int = 1
    """What a token costs: a flow of four times the price has a quarter of the share."""
    finish: int = 0
    """The finish tag of its last row that was taken."""
    remaining: int = field(init=False)
    """Tokens that are not computed yet."""
    waiting_tokens: int = field(init=False)
    """Tokens that are not taken yet."""
    _waiting: deque[int] = field(init=False)
    _computed: dict[int, Logits] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.remaining = self.waiting_tokens = sum(self.weights)
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

    @property
    def next_finish(self) -> int:
        return self.finish + self.price * self.next_weight

    def take(self) -> int:
        self.finish = self.next_finish
        self.waiting_tokens -= self.next_weight
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

    def ahead_of(self, tokens: int, price: int = 1) -> float:
        """Tokens that are computed before a new request of so many is done, if no further one comes."""
        return sum(min(flow.remaining, tokens * price / flow.price) for flow in self._flows)

    def take(self, tokens: float, rows: int) -> list[Slice]:
        """The next micro-batch, within both bounds but for its first row; empty: nothing waits.

        It answers every request that it has rows of, or is a piece of a single one: no answer waits for rows of a
        request that is not done with it.
        """
        taken: list[Slice] = []
        while (flow := self._first()) is not None:
            if flow.waiting_tokens > tokens or flow.waiting_rows > rows:
                return taken or [(flow, self._piece(flow, tokens, rows))]
            heapq.heappop(self._heap)
            tokens, rows = tokens - flow.waiting_tokens, rows - flow.waiting_rows
            taken.append((flow, [self._row(flow) for _ in range(flow.waiting_rows)]))
        return taken

    def _piece(self, flow: Flow, tokens: float, rows: int) -> list[int]:
        """Rows of the first request, as long as it is the first."""
        piece: list[int] = []
        while not piece or (self._first() is flow and flow.next_weight <= tokens and len(piece) < rows):
            heapq.heappop(self._heap)
            tokens -= flow.next_weight
            piece.append(self._row(flow))
            if flow.waiting_rows:
                self._push(flow)
        return piece

    def _row(self, flow: Flow) -> int:
        row = flow.take()
        self._virtual = max(self._virtual, flow.finish)
        return row

    def _first(self) -> Flow | None:
        while self._heap and self._heap[0][-1] not in self._flows:
            heapq.heappop(self._heap)
        return self._heap[0][-1] if self._heap else None

    def _push(self, flow: Flow) -> None:
        """Queue a flow: of two that finish at one time, the one that had fewer rows is first, then the older one."""
        self._added += 1
        heapq.heappush(self._heap, (flow.next_finish, flow.taken_rows, self._added, flow))
