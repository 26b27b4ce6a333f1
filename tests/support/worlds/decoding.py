"""A decode engine with three versions of a tiny decoder, on a session that can be held up, poisoned and broken."""

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from schemas.outcomes import outcome_of
from schemas.serving import ServedVersion
from tests.support.builders.decoder_exports import NEW_TOKENS, PROMPTS, Exported
from tests.support.builders.decoders import END, VOCABULARY
from tests.support.builders.models import served_version
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode.bases import Loaded
from workers.serve.engines.decode.engine import DecodeEngine
from workers.serve.engines.decode.questions import Question
from workers.serve.engines.port import Piece
from workers.serve.problems import Problem
from workers.tasks.text_generation.writing import Asked, Written

NAMES: Final = ("all", "query and value", "mlp")
PROMPT_WORDS: Final = [" ".join(list(VOCABULARY)[token] for token in prompt) for prompt in PROMPTS]
GREEDY: Final = Asked(prompt=PROMPT_WORDS[0], temperature=0, max_tokens=NEW_TOKENS)


class Gated(DecoderSession):
    """Computes while its gate is open; a poisoned version's logits are not finite, a broken one's runs fail."""

    def __init__(self, graph: Path) -> None:
        super().__init__(graph)
        self.gate = threading.Event()
        self.gate.set()
        self.paused = threading.Event()
        self.poisoned: set[int] = set()
        self.broken: set[int] = set()
        """Slots, as `poisoned` has them."""
        self.runs: list[tuple[int, ...]] = []
        """The shape of the ids of each, and so how many texts and tokens it had."""
        self.slots: list[frozenset[int]] = []
        """Whose texts each of them had."""
        self.pauses_at: float = math.inf
        """The run before which its gate closes."""
        self.breaks_at: float = math.inf
        """The first run that fails."""

    def slot(self, version: ServedVersion) -> int:
        slot = self.tables.take(str(version.id))
        self.tables.give_back(slot)
        return slot

    def run(self, ids: Any, mask: Any, slots: Sequence[int], places: Any, past: Any) -> Any:
        self.runs.append(ids.shape)
        self.slots.append(frozenset(slots))
        if len(self.runs) == self.pauses_at:
            self.gate.clear()
            self.paused.set()
        assert self.gate.wait(60)
        if len(self.runs) >= self.breaks_at or self.broken & set(slots):
            raise JobError("the graph cannot answer: a planted fault")
        logits, present = super().run(ids, mask, slots, places, past)
        logits = logits.copy()
        logits[[slot in self.poisoned for slot in slots]] = np.nan
        return logits, present


class DecodeBench:
    """`stable`, `canary` and `third` are the versions of `NAMES`."""

    def __init__(self, exported: Exported) -> None:
        self.exported = exported
        self.sessions: list[Gated] = []
        self.metrics = Metrics()
        self.engine = DecodeEngine(exported.workbench.artifacts, self._open, self.metrics)
        self.versions = {
            name: served_version(number, exported.exports[name].graph) for number, name in enumerate(NAMES, 1)
        }
        for version in self.versions.values():
            self.engine.load(version)
        self.stable, self.canary, self.third = self.versions.values()

    def _open(self, graph: Path) -> Gated:
        self.sessions.append(Gated(graph))
        return self.sessions[-1]

    @property
    def session(self) -> Gated:
        return self.sessions[0]

    @property
    def loaded(self) -> Loaded:
        """The stable version, as its engine has it."""
        found = self.engine._bases.find(self.stable)
        assert found is not None
        return found

    def expected(self, name: str, prompt: int) -> Written:
        """What PyTorch writes."""
        tokens = self.exported.greedy[name][prompt]
        ended = VOCABULARY[END] in tokens
        tokens = tokens[: tokens.index(VOCABULARY[END])] if ended else tokens
        text = self.loaded.base.tokenizer.decode(tokens)
        return Written(text, "stop" if ended else "length", len(PROMPTS[prompt]), len(tokens))

    def admitted(self, asked: Asked, version: ServedVersion, seconds: float = math.inf) -> Question:
        """As a gateway asks before it lets a version answer."""
        [question] = self.engine.admit([asked], [version], seconds)
        return question

    def stream(self, asked: Asked, version: ServedVersion) -> AsyncGenerator[Piece, None]:
        return self.engine.stream(self.admitted(asked, version), version)

    async def written(self, asked: Asked, version: ServedVersion) -> Written:
        return whole([piece async for piece in self.stream(asked, version)])

    async def started(self, asked: Asked, version: ServedVersion) -> AsyncGenerator[Piece, None]:
        """A stream whose first piece has come."""
        stream = self.stream(asked, version)
        await anext(stream)
        return stream

    def refusal(self, asked: Asked, seconds: float = 60.0) -> Problem:
        with pytest.raises(Problem) as caught:
            self.engine.admit([asked], [self.stable, self.canary], seconds)
        return caught.value

    def refused(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value("graftwork_gateway_refused_total", {"reason": reason})
        return value or 0.0

    async def idle(self) -> None:
        """Every text has left, and none is kept in the tables or in memory."""
        scheduler = self.loaded.base.scheduler
        while scheduler._lanes.busy:
            await asyncio.sleep(0.001)
        assert scheduler._batch.requests == []
        assert not any(lane.reading for lane in scheduler._lanes)
        assert not any(self.session.tables._users.values())


def whole(pieces: Sequence[Piece]) -> Written:
    """Exactly the last piece says how it ended, and what is counted of it."""
    text = "".join(piece.payload.text for piece in pieces)
    assert [piece.outcome for piece in pieces] == [None] * (len(pieces) - 1) + [outcome_of(text)]
    assert [piece.payload.finish_reason is None for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    return replace(pieces[-1].payload, text=text)


def greedy(prompt: int, **fields: Any) -> Asked:
    return replace(GREEDY, prompt=PROMPT_WORDS[prompt], **fields)


def run(exported: Exported, use: Callable[[DecodeBench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = DecodeBench(exported)
        try:
            await use(bench)
            await bench.idle()
        finally:
            for session in bench.sessions:
                session.gate.set()
            bench.engine.close()

    asyncio.run(asyncio.wait_for(main(), 120))
