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
