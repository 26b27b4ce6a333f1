"""An engine of text generation without a model: what it writes, and how it fails, stands in what it is asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from schemas.outcomes import outcome_of
from schemas.serving import ServedVersion
from tests.support.builders.models import GENERATOR, graph_ref, served_version
from workers.serve.engines.port import Answer, Answers, Piece
from workers.tasks.text_generation.writing import Asked, FinishReason, Written

WORDS: Final = ("Good ", "day ", "to ", "you.")
"""What every version writes, one token each, before its own number."""
PROMPT_TOKENS: Final = 7
HANG, HANG_LATER = "please hang", "please begin and hang"
RAISE, RAISE_LATER = "please raise", "please begin and raise"
"""What makes it behave so, before its first piece or after it."""


class PlantedFault(Exception):
    """Its message quotes what nobody may be told."""


def text_of(version: int) -> str:
    return "".join(WORDS) + str(version)


def generator(number: int) -> ServedVersion:
    return served_version(number, graph_ref(number, identity=GENERATOR), model="movies")


class WritingEngine:
    """`asked` is all that came; `open` are the texts that are being written."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.open = 0
        self._loaded: list[UUID] = []

    @property
    def loaded(self) -> tuple[UUID, ...]:
        return tuple(self._loaded)

    def holds(self, version: ServedVersion) -> bool:
        return version.id in self._loaded

    def load(self, version: ServedVersion) -> None:
        self._loaded.append(version.id)

    def smoke(self, version: UUID) -> None: ...
    def unload(self, version: UUID) -> None:
        self._loaded.remove(version)

    def admit(self, requests: Sequence[Asked], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Asked]:
        return requests

    def check_room(self, requests: Sequence[Asked], version: ServedVersion) -> None: ...
    def close(self) -> None: ...

    async def answer(self, requests: Sequence[Asked], version: ServedVersion) -> Answers:
        return tuple([await self._whole(one, version) for one in requests])

    async def stream(self, request: Asked, version: ServedVersion) -> AsyncIterator[Piece]:
        self.asked.append(request)
        self.open += 1
        try:
            async for piece in self._pieces(request, version):
                yield piece
        finally:
            self.open -= 1

    async def _whole(self, request: Asked, version: ServedVersion) -> Answer:
        pieces = [piece.payload async for piece in self.stream(request, version)]
        text = "".join(piece.text for piece in pieces)
        return Answer(replace(pieces[-1], text=text), outcome_of(text))

    async def _pieces(self, request: Asked, version: ServedVersion) -> AsyncIterator[Piece]:
        said = request.prompt or " ".join(message["content"] for message in request.messages or ())
        await _misbehave(said, HANG, RAISE)
        words, text = [*WORDS, str(version.version)], ""
        most = len(words) if request.max_tokens is None else min(request.max_tokens, len(words))
        reason: FinishReason = "stop" if most == len(words) else "length"
        for number, word in enumerate(words[:most], start=1):
            text += word
            last = number == most
            written = Written(word, reason if last else None, PROMPT_TOKENS, number)
            yield Piece(written, outcome_of(text) if last else None)
            await _misbehave(said, HANG_LATER, RAISE_LATER)


async def _misbehave(said: str, hang: str, fail: str) -> None:
    if hang in said:
        await asyncio.sleep(60)
    if fail in said:
        raise PlantedFault(f"a message that quotes: {said}")
