"""One engine serves every task: each version is answered by its own task's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from schemas.serving import ServedVersion
from tests.support.builders.models import GENERATOR, graph_ref, served_version
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.by_task import ByTask
from workers.serve.engines.graph.engine import GraphEngine
from workers.serve.engines.port import Answer, Answers, Piece, Unanswerable
from workers.serve.problems import Problem

CLASSIFIER, GENERATOR_VERSION = served_version(1), served_version(2, graph_ref(2, identity=GENERATOR))
SECOND = served_version(3)


class Fake:
    def __init__(self, name: str) -> None:
        self.name, self.loaded, self.closed = name, tuple[UUID, ...](), False

    def holds(self, version: ServedVersion) -> bool:
        return version.id in self.loaded

    def load(self, version: ServedVersion) -> None:
        if version.model == "broken":
            raise ValueError("it does not load")
        self.loaded = (*self.loaded, version.id)

    def smoke(self, version: UUID) -> None:
        raise ValueError(f"{self.name} smokes {version.int}")

    def unload(self, version: UUID) -> None:
        self.loaded = tuple(one for one in self.loaded if one != version)

    def admit(self, requests: Sequence[Any], drawable: Sequence[ServedVersion], seconds: float) -> Sequence[Any]:
        raise Problem(503, self.name, "", f"{[one.version for one in drawable]}")

    def check_room(self, requests: Sequence[Any], version: ServedVersion) -> None:
        raise Problem(503, self.name, "", "room")

    async def answer(self, requests: Sequence[Any], version: ServedVersion) -> Answers:
        return tuple(Answer(self.name, "") for _ in requests)

    async def stream(self, request: Any, version: ServedVersion) -> AsyncIterator[Piece]:
        yield Piece(self.name, "")

    def close(self) -> None:
        self.closed = True


class Opened:
    def __init__(self) -> None:
        self.engines: dict[str, Fake] = {}
        self.by_task = ByTask(
            {task: lambda metrics, task=task: self._open(task) for task in ("text-classification", "text-generation")},
            Metrics(),
        )

    def _open(self, task: str) -> Fake:
        self.engines[task] = Fake(task)
        return self.engines[task]


def test_each_version_goes_to_the_engine_of_its_task_which_opens_with_the_first() -> None:
    opened = Opened()
    engine = opened.by_task
    engine.load(CLASSIFIER)
    assert list(opened.engines) == ["text-classification"]
    engine.load(GENERATOR_VERSION)
    engine.load(SECOND)
    assert engine.loaded == (CLASSIFIER.id, GENERATOR_VERSION.id, SECOND.id)
    assert opened.engines["text-generation"].loaded == (GENERATOR_VERSION.id,)
    assert engine.holds(GENERATOR_VERSION)
    with pytest.raises(ValueError, match="text-generation smokes 2"):
        engine.smoke(GENERATOR_VERSION.id)
    for version, task in ((CLASSIFIER, "text-classification"), (GENERATOR_VERSION, "text-generation")):
        assert asyncio.run(engine.answer([1, 2], version)) == (Answer(task, ""),) * 2
        assert asyncio.run(_first(engine.stream(1, version))) == Piece(task, "")
        with pytest.raises(Problem, match="room") as caught:
            engine.check_room([1], version)
        assert caught.value.slug == task
    engine.unload(CLASSIFIER.id)
    assert engine.loaded == (GENERATOR_VERSION.id, SECOND.id)
    engine.close()
    assert all(one.closed for one in opened.engines.values())


def test_what_may_be_drawn_is_asked_by_the_engine_of_its_task() -> None:
    opened = Opened()
    for version in (CLASSIFIER, GENERATOR_VERSION, SECOND):
        opened.by_task.load(version)
    with pytest.raises(Problem, match=r"\[1, 3\]") as caught:
        opened.by_task.admit([1], [CLASSIFIER, SECOND], 1.0)
    assert caught.value.slug == "text-classification"
    with pytest.raises(Problem, match=r"\[2\]"):
        opened.by_task.admit([1], [GENERATOR_VERSION], 1.0)


def test_a_version_that_does_not_load_is_not_loaded() -> None:
    opened = Opened()
    broken = served_version(4, model="broken")
    with pytest.raises(ValueError, match="it does not load"):
        opened.by_task.load(broken)
    assert opened.by_task.loaded == ()
    assert not opened.by_task.holds(broken)


def test_a_label_is_not_answered_in_pieces() -> None:
    with pytest.raises(Unanswerable, match="a class is answered in one piece"):
        GraphEngine.stream(object(), "a text", CLASSIFIER)  # type: ignore[arg-type]


async def _first(stream: AsyncIterator[Piece]) -> Piece:
    return await anext(stream)
