"""The engine of text generation: texts of many versions, written together token by token on decoder graphs."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

from schemas.outcomes import outcome_of
from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.artifacts import Artifacts
from workers.serve.engines.decode.admission import Admission
from workers.serve.engines.decode.bases import Bases, OpenDecoder
from workers.serve.engines.decode.questions import prompt_of
from workers.serve.engines.decode.reader import Reader
from workers.serve.engines.port import Answer, Answers, Piece, Unanswerable
from workers.tasks.text_generation.writing import Asked


class DecodeEngine:
    """A request is an `Asked`, a payload a `Written`.

    The first piece is the first token's, even where its text is held back.
    """

    def __init__(self, artifacts: Artifacts, open_decoder: OpenDecoder, metrics: Metrics) -> None:
        self._bases = Bases(artifacts, open_decoder, lambda texts: metrics.batch_rows.observe(texts))
        self._admission = Admission(self._bases, metrics)

    @property
    def loaded(self) -> tuple[UUID, ...]:
        return self._bases.loaded

    def holds(self, version: ServedVersion) -> bool:
        return self._bases.holds(version)

    def load(self, version: ServedVersion) -> None:
        self._bases.load(version)

    def smoke(self, version: UUID) -> None:
        self._bases.smoke(version)

    def unload(self, version: UUID) -> None:
        self._bases.unload(version)

    def check_deadline(self, requests: Sequence[Asked], drawable: Sequence[ServedVersion], seconds: float) -> None:
        self._admission.check_deadline(requests, drawable, seconds)

    def check_room(self, requests: Sequence[Asked], version: ServedVersion) -> None:
        self._admission.check_room(requests, version)

    async def answer(self, requests: Sequence[Asked], version: ServedVersion) -> Answers:
        under_way: list[_UnderWay] = []
        try:
            for asked in requests:
                under_way.append(_UnderWay(self._bases, asked, version))
            return tuple([await one.whole() for one in under_way])
        finally:
            for one in under_way:
                one.give_up()

    async def stream(self, request: Asked, version: ServedVersion) -> AsyncGenerator[Piece, None]:
        one = _UnderWay(self._bases, request, version)
        try:
            async for piece in one.pieces():
                yield piece
        finally:
            one.give_up()

    def close(self) -> None:
        self._bases.close()


class _UnderWay:
    """One text, from the moment that it is queued."""

    def __init__(self, bases: Bases, asked: Asked, version: ServedVersion) -> None:
        loaded = bases.find(version)
        if loaded is None:
            raise Unanswerable("the version is not loaded")
        self._reader, self._scheduler = Reader(), loaded.base.scheduler
        self._request = loaded.request(asked, prompt_of(asked, loaded), self._reader)
        self._scheduler.submit(self._request)

    async def pieces(self) -> AsyncIterator[Piece]:
        text = ""
        async for written in self._reader.pieces():
            text += written.text
            yield Piece(written, None if written.finish_reason is None else outcome_of(text))

    async def whole(self) -> Answer:
        text = ""
        async for written in self._reader.pieces():
            text += written.text
        return Answer(replace(written, text=text), outcome_of(text))

    def give_up(self) -> None:
        """Once its end is read, this does nothing."""
        self._scheduler.give_up(self._request)
