"""A base in two precisions is two bases to the engine, each with a session of its own."""

import asyncio
import math
from pathlib import Path

from tests.support.builders.decoder_exports import NEW_TOKENS, PROMPTS, Exported
from tests.support.builders.decoders import END, VOCABULARY
from tests.support.builders.models import served_version
from tests.support.worlds.decoding import greedy, whole
from workers.base.tokenizer import TextTokenizer
from workers.graph.decoder.offline import OfflineDecoder
from workers.graph.decoder.session import DecoderSession
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode.engine import DecodeEngine


class SideBySide:
    """One version, exported in each precision."""

    def __init__(self, exported: Exported) -> None:
        self.exports = {
            "fp32": exported.exports["all"],
            "int4": exported.export("all", precision="int4", min_agreement=0.0),  # of weights that nobody trained
        }
        self.versions = {
            name: served_version(number, result.graph) for number, (name, result) in enumerate(self.exports.items(), 1)
        }
        self.opened: list[Path] = []
        self.engine = DecodeEngine(exported.workbench.artifacts, self._open, Metrics())
        self.fetch = exported.workbench.artifacts.fetch
        for version in self.versions.values():
            self.engine.load(version)

    def _open(self, graph: Path) -> DecoderSession:
        self.opened.append(graph)
        return DecoderSession(graph)

    def alone(self, precision: str, prompt: int) -> list[int]:
        """Greedy tokens of the precision's own graph."""
        graph = self.versions[precision].graph
        session = DecoderSession(self.fetch(graph.base_graph))
        session.load("alone", self.fetch(graph.adapter))
        [tokens] = OfflineDecoder(session).generate([PROMPTS[prompt]], "alone", NEW_TOKENS, (VOCABULARY[END],))
        return tokens

    async def written(self, precision: str, prompt: int) -> str:
        version = self.versions[precision]
        [question] = self.engine.admit([greedy(prompt)], [version], math.inf)
        return whole([piece async for piece in self.engine.stream(question, version)]).text


class Bench:
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

    def expected(self, name: str, prompt: int) -> Written:
        """What PyTorch writes."""
        tokens = self.exported.greedy[name][prompt]
        ended = VOCABULARY[END] in tokens
        tokens = tokens[: tokens.index(VOCABULARY[END])] if ended else tokens
        base = self.engine._bases.find(self.stable)
        assert base is not None
        text = base.base.tokenizer.decode(tokens)
        return Written(text, "stop" if ended else "length", len(PROMPTS[prompt]), len(tokens))

    async def written(self, asked: Asked, version: ServedVersion) -> Written:
        return whole([piece async for piece in self.engine.stream(asked, version)])

    async def started(self, asked: Asked, version: ServedVersion) -> AsyncGenerator[Piece, None]:
        """A stream whose first piece has come."""
        stream = self.engine.stream(asked, version)
        await anext(stream)
        return stream

    def refusal(self, asked: Asked, seconds: float = 60.0) -> Problem:
        with pytest.raises(Problem) as caught:
            self.engine.check_deadline([asked], [self.stable, self.canary], seconds)
        return caught.value

    def refused(self, reason: str) -> float:
        value = self.metrics.registry.get_sample_value("graftwork_gateway_refused_total", {"reason": reason})
        return value or 0.0

    async def idle(self) -> None:
        """Every text has left, and none is kept in the tables or in memory."""
        found = self.engine._bases.find(self.stable)
        assert found is not None
        while found.base.scheduler._lanes.busy:
            await asyncio.sleep(0.001)
        assert found.base.scheduler._batch.requests == []
        assert not any(self.session.tables._users.values())


def whole(pieces: Sequence[Piece]) -> Written:
    """Exactly the last piece says how it ended, and what is counted of it."""
    text = "".join(piece.payload.text for piece in pieces)
    assert [piece.outcome for piece in pieces] == [None] * (len(pieces) - 1) + [outcome_of(text)]
    assert [piece.payload.finish_reason is None for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    return replace(pieces[-1].payload, text=text)


def greedy(prompt: int, **fields: Any) -> Asked:
    return replace(GREEDY, prompt=PROMPT_WORDS[prompt], **fields)


def run(exported: Exported, use: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(exported)
        try:
            await use(bench)
            await bench.idle()
        finally:
            for session in bench.sessions:
                session.gate.set()
            bench.engine.close()

    asyncio.run(asyncio.wait_for(main(), 120))


def test_a_base_in_two_precisions_is_served_side_by_side(exported: Exported) -> None:
    """By two sessions, each of which writes what its own graph says: of random weights the two say different things."""

    async def write() -> None:
        both = SideBySide(exported)
        try:
            assert len(set(both.opened)) == 2
            tokenizer = TextTokenizer(both.fetch(both.versions["fp32"].graph.tokenizer), max_length=None)
            asked = [(precision, prompt) for prompt in range(len(PROMPTS)) for precision in ("fp32", "int4")]
            found = await asyncio.gather(*(both.written(*one) for one in asked))
            expected = [tokenizer.decode(both.alone(*one)) for one in asked]
            assert found == expected
            assert found[0::2] != found[1::2]
            both.engine.unload(both.versions["int4"].id)
            assert await both.written("fp32", 0) == expected[0]
        finally:
            both.engine.close()

    asyncio.run(write())
