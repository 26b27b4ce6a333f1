"""An engine without a model: its answers come in pieces, at the times and in the ways that a request asks for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from schemas.serving import ServedVersion
from workers.serve.engines.port import Answer, Answers, Piece, Unanswerable

LAST = "stop"
"""The outcome of every answer."""


class PlantedFault(Exception):
    """Its message quotes what nobody may be told."""


@dataclass(frozen=True)
class Script:
    """One request: seconds before each piece, and what comes behind them."""

    waits: tuple[float, ...] = (0.0, 0.0, 0.0)
    then: Literal["last", "nothing", "raise", "unanswerable", "hang"] = "last"
    """`last`: the last of the pieces is the answer's."""


@dataclass
class StreamingEngine:
    """Every version is loaded; `open` are the answers that are being computed."""

    loaded: tuple[UUID, ...] = ()
    open: int = 0
    opened: int = 0

    def holds(self, version: ServedVersion) -> bool:
        return True

    def load(self, version: ServedVersion) -> None: ...
    def smoke(self, version: UUID) -> None: ...
    def unload(self, version: UUID) -> None: ...
    def close(self) -> None: ...
    def check_room(self, requests: Sequence[Script], version: ServedVersion) -> None: ...
    def admit(self, requests: Sequence[Script], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Script]:
        return requests

    async def answer(self, requests: Sequence[Script], version: ServedVersion) -> Answers:
        payloads = [[piece.payload async for piece in self.stream(one, version)] for one in requests]
        return tuple(Answer(told, LAST) for told in payloads)

    async def stream(self, request: Script, version: ServedVersion) -> AsyncIterator[Piece]:
        self.open += 1
        self.opened += 1
        try:
            for number, seconds in enumerate(request.waits, start=1):
                await asyncio.sleep(seconds)
                last = request.then == "last" and number == len(request.waits)
                yield Piece(number, LAST if last else None)
            if request.then == "raise":
                raise PlantedFault("a message that quotes the row")
            if request.then == "unanswerable":
                raise Unanswerable("the context is full")
            if request.then == "hang":
                await asyncio.sleep(1e9)
        finally:
            self.open -= 1
