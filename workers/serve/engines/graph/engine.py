"""The engine of encoder tasks: rows of text, computed in micro-batches on ONNX Runtime."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import numpy as np

from schemas.serving import ServedVersion
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.graph.admission import Admission
from workers.serve.engines.graph.batcher import Batcher
from workers.serve.engines.graph.sessions import Sessions
from workers.serve.engines.port import Answer, Answers, Piece, Unanswerable
from workers.tasks.text_classification.answer import LabelScores, answer_of


class GraphEngine:
    """A request is a text, a payload its label with the scores."""

    def __init__(self, sessions: Sessions, metrics: Metrics) -> None:
        self._sessions = sessions
        self._batcher = Batcher(sessions.logits, lambda rows: metrics.batch_rows.observe(rows))
        self._admission = Admission(self._batcher, metrics)

    @property
    def loaded(self) -> tuple[UUID, ...]:
        return self._sessions.loaded

    def holds(self, version: ServedVersion) -> bool:
        return self._sessions.holds(version)

    def load(self, version: ServedVersion) -> None:
        self._sessions.load(version)

    def smoke(self, version: UUID) -> None:
        self._sessions.smoke(version)

    def unload(self, version: UUID) -> None:
        self._batcher.close(version)
        self._sessions.unload(version)

    def admit(self, requests: Sequence[str], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[str]:
        self._admission.check_deadline(requests, drawable, seconds)
        return requests

    def check_room(self, requests: Sequence[str], version: ServedVersion) -> None:
        self._admission.check_room(requests, version)

    async def answer(self, requests: Sequence[str], version: ServedVersion) -> Answers:
        labels = version.graph.identity.classification.labels
        logits = await self._batcher.lane(version).submit(requests)
        if logits.shape != (len(requests), len(labels)) or not np.isfinite(logits).all():
            raise Unanswerable("logits that are not finite or of another width")
        return tuple(_answer(answer_of(row, labels)) for row in logits)

    def stream(self, request: str, version: ServedVersion) -> AsyncIterator[Piece]:
        raise Unanswerable("a class is answered in one piece")

    def close(self) -> None:
        self._batcher.close_all()


def _answer(found: LabelScores) -> Answer:
    return Answer(payload=found, outcome=found.label)
