"""Who is next: each version's texts wait in a queue of their own, and versions take turns."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from workers.graph.decoder.reading import Reading
from workers.serve.engines.decode.request import Request

MAX_TEXTS: Final = 16
"""Texts of one base that are read and written together: a step of more takes nearly as much longer."""
MAX_TEXTS_OF_ONE: Final = 12
"""Texts of one version among them: a gateway serves two versions, and whatever floods one of them, the next text of
the other begins at once."""
MAX_WAITING: Final = 256
"""Texts that wait for one version: what its queue may hold in memory. Their deadlines refuse requests long before."""
REMEMBERED: Final = 16
"""Answers whose median says how long one is typically."""


@dataclass(eq=False)
class Lane:
    """One version's texts."""

    waiting: deque[Request] = field(default_factory=deque)
    under_way: list[Request] = field(default_factory=list)
    """Read or written."""
    reading: list[tuple[Request, Reading]] = field(default_factory=list)
    """Those of them whose prompts are read and that have not joined the batch yet, in their order."""
    _lengths: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    @property
    def typical_answer(self) -> float:
        """Tokens; 1 while nothing is known."""
        return median(self._lengths) if self._lengths else 1.0

    @property
    def unread(self) -> list[int]:
        """Tokens of each prompt that is read, or waits to be."""
        return [*(prompt.remaining for _, prompt in self.reading), *(len(request.ids) for request in self.waiting)]

    @property
    def has_prompts(self) -> bool:
        return bool(self.reading or self.waiting)

    @property
    def is_full(self) -> bool:
        return len(self.under_way) >= MAX_TEXTS_OF_ONE

    def begin(self) -> Request:
        request = self.waiting.popleft()
        self.under_way.append(request)
        return request

    def end(self, request: Request) -> None:
        for one in self.reading:
            if one[0] is request:
                one[1].close()
        self.reading = [one for one in self.reading if one[0] is not request]
        self.under_way.remove(request)
        if request.output.tokens:
            self._lengths.append(request.output.tokens)

    def joined(self) -> None:
        """The texts whose prompts are read whole are in the batch."""
        self.reading = [one for one in self.reading if one[1].remaining]

    def give_up_waiting(self) -> list[Request]:
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    def put_back(self, request: Request) -> None:
        """It had to make way, and goes on before any other of its version."""
        self.under_way.remove(request)
        self.waiting.appendleft(request)


class Lanes:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}

    def __getitem__(self, version: str) -> Lane:
        return self._lanes.setdefault(version, Lane())

    def __iter__(self) -> Iterator[Lane]:
        """Those with the fewest texts under way first."""
        return iter(sorted(self._lanes.values(), key=lambda lane: len(lane.under_way)))

    @property
    def busy(self) -> bool:
        return any(lane.waiting or lane.under_way for lane in self._lanes.values())

    def free(self, lane: Lane) -> int:
        """How many more of its texts may be under way."""
        under_way = sum(len(other.under_way) for other in self._lanes.values())
        return min(MAX_TEXTS - under_way, MAX_TEXTS_OF_ONE - len(lane.under_way))

    def forget(self, version: str) -> list[Request]:
        """The version is unloaded: what waits for it. Its texts under way go on."""
        lane = self[version]
        waiting = lane.give_up_waiting()
        if not lane.under_way:
            del self._lanes[version]
        return waiting
