"""Texts that a gateway's engine writes together, against transformers' `generate` of the same version."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from schemas.serving import ServedVersion
from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.decoder_exports import WIDE
from tests.support.builders.decoders import build_tiny_decoder
from tests.support.builders.models import served_version
from tests.support.builders.real_decoders import smollm2
from tests.support.builders.specs import export_spec
from tests.support.workbench import Workbench
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Ratio, alternate
from workers.adapters.reference import fold
from workers.base.loading import load_causal_lm
from workers.base.tokenizer import TextTokenizer
from workers.export.handler import handle
from workers.graph.decoder.session import DecoderSession
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode.engine import DecodeEngine
from workers.tasks.text_generation.writing import Asked

STREAMS: Final = (1, 4, 8)
PROMPT: Final = "film is rate why system user assistant film " * 6
"""Words that the tiny decoder of a smoke run knows too."""
TOKENS: Final = 48
"""Of each answer, unless a stop token comes: both sides are divided by what they have written."""
AGAINST: Final = "transformers generate"
NOTE: Final = (
    "SmolLM2-135M-Instruct in float32 with LoRA of rank 8 on every query and value, one compute thread on both sides, "
    "greedy. Ours keeps the version's factors beside the base, as many versions are served together; transformers has "
    "them folded in, and reads and writes all texts as one batch from the start"
)


@dataclass(frozen=True)
class Took:
    """One turn of one side."""

    tokens_per_second: float
    first_token_ms: float
    """Until every text has its first."""


class Ours:
    def __init__(self, bench: Workbench, version: ServedVersion) -> None:
        self._engine, self._version = DecodeEngine(bench.artifacts, DecoderSession, Metrics()), version
        self._engine.load(version)

    def write(self, streams: int) -> Took:
        return asyncio.run(self._write(streams))

    def close(self) -> None:
        self._engine.close()

    async def _write(self, streams: int) -> Took:
        began = time.perf_counter()
        told = await asyncio.gather(*(self._stream(began) for _ in range(streams)))
        seconds = time.perf_counter() - began
        return Took(sum(tokens for _, tokens in told) / seconds, 1000 * max(first for first, _ in told))

    async def _stream(self, began: float) -> tuple[float, int]:
        """When the first token came, and how many did."""
        first, tokens = None, 0
        asked = Asked(prompt=PROMPT, max_tokens=TOKENS, temperature=0)
        [question] = self._engine.admit([asked], [self._version], math.inf)
        async for piece in self._engine.stream(question, self._version):
            first = first or time.perf_counter() - began
            tokens = piece.payload.completion_tokens
        assert first is not None
        return first, tokens


class Theirs:
    def __init__(self, folder: Path, bench: Workbench, version: ServedVersion, adapter: Any) -> None:
        torch.set_num_threads(1)
        self._network: Any = fold(load_causal_lm(folder), adapter).eval()
        self._stop_ids = version.graph.identity.generation.stop_token_ids
        tokenizer = TextTokenizer(bench.artifacts.fetch(version.graph.tokenizer), max_length=None)
        [self._prompt] = tokenizer.encode([PROMPT])

    def write(self, streams: int) -> Took:
        ids, first = torch.tensor([self._prompt] * streams), _First()
        began = time.perf_counter()
        with torch.no_grad():
            found = self._network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=TOKENS,
                eos_token_id=list(self._stop_ids),
                pad_token_id=self._stop_ids[0],
                do_sample=False,
                use_cache=True,
                stopping_criteria=StoppingCriteriaList([first]),
            )
        seconds = time.perf_counter() - began
        written = found[:, len(self._prompt) :].tolist()
        tokens = sum(next((at for at, one in enumerate(row) if one in self._stop_ids), len(row)) for row in written)
        return Took(tokens / seconds, 1000 * (first.at - began))


class _First(StoppingCriteria):
    """Stops nothing: it is called after each token, and keeps when it was first."""

    at = 0.0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        self.at = self.at or time.perf_counter()
        return torch.zeros(len(input_ids), dtype=torch.bool)


def measure(options: Options) -> list[Ratio]:
    root = options.parts.folder / "decode"
    if options.smoke:
        folder = build_tiny_decoder(root / "bases" / "tiny", **WIDE, max_position_embeddings=256)
    else:
        folder = smollm2()
    bench = Workbench(root / "bench", folder)
    adapter = decoder_adapter(folder, 8, 1, ("q_proj", "v_proj"), 0.2 if options.smoke else 0.05)
    version = served_version(1, handle(export_spec(bench.store(adapter)), bench.context()).graph)
    ours, theirs = Ours(bench, version), Theirs(folder, bench, version, adapter)
    try:
        found = [_compare(options, ours, theirs, streams) for streams in STREAMS]
    finally:
        ours.close()
    return [ratio for pair in found for ratio in pair]


def _compare(options: Options, ours: Ours, theirs: Theirs, streams: int) -> Sequence[Ratio]:
    rounds = alternate(options.rounds, partial(ours.write, streams), partial(theirs.write, streams))
    name = f"{streams} stream{'s' if streams > 1 else ''}"
    tokens = [(one.tokens_per_second, other.tokens_per_second) for one, other in rounds]
    first = [(one.first_token_ms, other.first_token_ms) for one, other in rounds]
    return (
        Ratio.of(f"decode, {name}: throughput", "tokens/s", tokens, against=AGAINST, note=NOTE),
        Ratio.of(f"decode, {name}: first token of all", "ms", first, against=AGAINST, note=NOTE),
    )
