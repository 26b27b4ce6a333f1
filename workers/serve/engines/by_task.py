"""One engine of every task: each version is answered by the engine of its task."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from schemas.serving import ServedVersion
from workers.graph.decoder.session import DecoderSession
from workers.graph.session import GraphSession
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.artifacts import Artifacts
from workers.serve.engines.decode.bases import OpenDecoder
from workers.serve.engines.decode.engine import DecodeEngine
from workers.serve.engines.graph.engine import GraphEngine
from workers.serve.engines.graph.sessions import OpenSession, Sessions
from workers.serve.engines.port import Answers, Engine, OpenEngine, Piece


class ByTask:
    """Opens the engine of a task with its first version."""

    def __init__(self, engines: Mapping[str, OpenEngine], metrics: Metrics) -> None:
        self._engines, self._metrics = engines, metrics
        self._opened: dict[str, Engine] = {}
        self._of: dict[UUID, Engine] = {}
        """By version, in the order in which they were loaded."""

    @property
    def loaded(self) -> tuple[UUID, ...]:
        held = {version for engine in self._opened.values() for version in engine.loaded}
        return tuple(version for version in self._of if version in held)

    def holds(self, version: ServedVersion) -> bool:
        return version.id in self._of and self._engine(version).holds(version)

    def load(self, version: ServedVersion) -> None:
        engine = self._engine(version)
        engine.load(version)
        self._of[version.id] = engine

    def smoke(self, version: UUID) -> None:
        self._of[version].smoke(version)

    def unload(self, version: UUID) -> None:
        self._of.pop(version).unload(version)

    def admit(self, requests: Sequence[Any], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Any]:
        """A deployment keeps its task: whatever may be drawn is answered by one engine."""
        return self._engine(drawable[0]).admit(requests, drawable, seconds) if drawable else requests

    def check_room(self, requests: Sequence[Any], version: ServedVersion) -> None:
        self._engine(version).check_room(requests, version)

    async def answer(self, requests: Sequence[Any], version: ServedVersion) -> Answers:
        return await self._engine(version).answer(requests, version)

    def stream(self, request: Any, version: ServedVersion) -> AsyncIterator[Piece]:
        return self._engine(version).stream(request, version)

    def close(self) -> None:
        for engine in self._opened.values():
            engine.close()

    def _engine(self, version: ServedVersion) -> Engine:
        task = version.graph.identity.task.type
        if task not in self._opened:
            self._opened[task] = self._engines[task](self._metrics)
        return self._opened[task]


def by_task(
    artifacts: Artifacts, open_session: OpenSession = GraphSession, open_decoder: OpenDecoder = DecoderSession
) -> OpenEngine:
    return partial(
        ByTask,
        {
            "text-classification": partial(GraphEngine, Sessions(artifacts, open_session)),
            "text-generation": partial(DecodeEngine, artifacts, open_decoder),
        },
    )
