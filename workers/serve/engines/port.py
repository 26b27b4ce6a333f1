"""The seam between a gateway and whatever answers: the gateway draws, counts, signs and observes; an engine answers."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics


@dataclass(frozen=True)
class Answer:
    """What became of one request of a unit."""

    payload: Any
    """What a caller is told; only the protocols that speak of its task look into it."""
    outcome: str
    """What feedback is compared with, and all that is counted of an answer: the signed prediction id carries it."""


Answers = tuple[Answer, ...]
"""One for each request, in their order."""


@dataclass(frozen=True)
class Piece:
    """A part of one answer, which a caller is told as soon as it is there."""

    payload: Any
    outcome: str | None = None
    """As an answer's; the last piece has it, and no other."""


class Unanswerable(Exception):
    """Why a version could not answer, in words that quote nobody's text."""


class Engine(Protocol):
    """Answers by versions that are loaded into it.

    `load` and `smoke` block, and are called from one loading thread at a time; everything else is called on the event
    loop. What requests and payloads are is between the engine and the protocols that speak to it.
    """

    @property
    def loaded(self) -> tuple[UUID, ...]:
        """Oldest first."""
        ...

    def holds(self, version: ServedVersion) -> bool:
        """Loaded, and from these very files: a version may have been exported again since."""
        ...

    def load(self, version: ServedVersion) -> None:
        """Fetch, load and smoke-test; a version that fails is not loaded. Its earlier files are replaced."""
        ...

    def smoke(self, version: UUID) -> None:
        """Whether a version that is loaded still answers; raises where it does not."""
        ...

    def unload(self, version: UUID) -> None: ...

    def admit(self, requests: Sequence[Any], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Any]:
        """The requests as everything below takes them, which keeps what was made of them here.

        Raises Problem where they would not be answered in time by each version that they may be drawn to. Asked before
        an arm is drawn, stable first, so that a refusal chooses no arm.
        """
        ...

    def check_room(self, requests: Sequence[Any], version: ServedVersion) -> None:
        """Raises Problem where what waits for the version leaves no room for the requests."""
        ...

    async def answer(self, requests: Sequence[Any], version: ServedVersion) -> Answers:
        """The caller keeps the deadline, and cancels; what is cancelled is not computed further."""
        ...

    def stream(self, request: Any, version: ServedVersion) -> AsyncIterator[Piece]:
        """One answer in pieces, where the version's task has such; Unanswerable where it has none.

        The caller keeps the deadlines, and closes the iterator; what is closed is not computed further.
        """
        ...

    def close(self) -> None: ...


OpenEngine = Callable[[Metrics], Engine]
