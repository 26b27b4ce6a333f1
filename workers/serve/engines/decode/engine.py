"""The engine of text generation: texts of many versions, written together token by token on decoder graphs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

from schemas.outcomes import outcome_of
from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.artifacts import Artifacts
from workers.serve.engines.decode.admission import Admission
from workers.serve.engines.decode.bases import Bases, OpenDecoder
from workers.serve.engines.decode.questions import Question
from workers.serve.engines.decode.reader import Reader
from workers.serve.engines.port import Answer, Answers, Piece, Unanswerable
from workers.tasks.text_generation.writing import Asked


class DecodeEngine:
    """A request is an `Asked`, once it is admitted a `Question`; a payload is a `Written`.

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

    def admit(self, requests: Sequence[Asked], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Question]:
        questions = [Question(asked) for asked in requests]
        self._admission.check_deadline(questions, drawable, seconds)
        return questions

    def check_room(self, requests: Sequence[Question], version: ServedVersion) -> None:
        self._admission.check_room(requests, version)

    async def answer(self, requests: Sequence[Question], version: ServedVersion) -> Answers:
        under_way: list[_UnderWay] = []
        try:
            for question in requests:
                under_way.append(_UnderWay(self._bases, question, version))
            return tuple([await one.whole() for one in under_way])
        finally:
            for one in under_way:
                one.give_up()

    async def stream(self, request: Question, version: ServedVersion) -> AsyncGenerator[Piece, None]:
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

    def __init__(self, bases: Bases, question: Question, version: ServedVersion) -> None:
        loaded = bases.find(version)
        if loaded is None:
            raise Unanswerable("the version is not loaded")
        self._reader, self._scheduler = Reader(), loaded.base.scheduler
        self._request = loaded.request(question.asked, question.prompt(loaded), self._reader)
        self._scheduler.submit(self._request)
        # what else has come to this loop by now is read together with it
        asyncio.get_running_loop().call_soon(self._scheduler.begin)

    async def pieces(self) -> AsyncIterator[Piece]:
        text = ""
        async for written in self._reader.pieces():
            text += written.text
            yield Piece(written, None if written.finish_reason is None else outcome_of(text))

    async def whole(self) -> Answer:
        pieces = [piece async for piece in self.pieces()]
        last = pieces[-1]
        assert last.outcome is not None
        return Answer(replace(last.payload, text="".join(piece.payload.text for piece in pieces)), last.outcome)

    def give_up(self) -> None:
        """Once its end is read, this does nothing."""
        self._scheduler.give_up(self._request)
