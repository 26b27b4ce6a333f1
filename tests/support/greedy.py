"""Greedy texts of several versions that an engine writes in shared batches, beside what PyTorch and PEFT write."""

import asyncio
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear

from schemas.serving import ServedVersion
from tests.support.builders.decoders import SPECIAL, VOCABULARY
from tests.support.worlds.decoding import Gated
from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.base.loading import load_causal_lm
from workers.runtime.artifacts import ArtifactStore
from workers.serve.counting.metrics import Metrics
from workers.serve.engines.decode.engine import DecodeEngine
from workers.serve.engines.decode.request import Request
from workers.tasks.text_generation.writing import Asked

TIE: Final = 1e-3
"""Two tokens whose logits are as near to each other in PyTorch may change places with the order of float32 sums."""


@dataclass(frozen=True)
class Difference:
    """Where a text first leaves PyTorch's."""

    version: str
    prompt: int
    place: int
    """Tokens before it that are the same."""
    gap: float
    """How much higher PyTorch's logit of its own token is than that of ours; infinite where one of them has ended."""

    @property
    def is_tie(self) -> bool:
        return self.gap < TIE


@dataclass(frozen=True)
class Compared:
    """Tokens by version and prompt, and what became of the batches."""

    read: Sequence[Sequence[int]]
    """The prompts' ids."""
    ours: Mapping[str, Sequence[Sequence[int]]]
    theirs: Mapping[str, Sequence[Sequence[int]]]
    differences: Sequence[Difference]
    steps: int
    mixed_steps: int
    """Those with texts of all versions."""
    shared_reads: int
    """Runs that read several prompts."""

    @property
    def ties(self) -> list[Difference]:
        return [one for one in self.differences if one.is_tie]

    @property
    def wrong(self) -> list[Difference]:
        return [one for one in self.differences if not one.is_tie]

    def __str__(self) -> str:
        texts = [text for of_one in self.theirs.values() for text in of_one]
        return (
            f"{len(texts)} texts of {len(self.theirs)} versions, {sum(map(len, texts))} tokens: "
            f"{len(self.wrong)} differ, {len(self.ties)} more by a tie (gaps {[one.gap for one in self.ties]}); "
            f"{self.mixed_steps} of {self.steps} steps had texts of all versions, "
            f"{self.shared_reads} runs read several prompts"
        )


def prompts(count: int, longest: int) -> list[str]:
    """Each another one, of 1 to `longest` words."""
    generator = random.Random(10)
    words = [word for word in VOCABULARY if word not in SPECIAL]
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(generator.choices(words, k=1 + len(found) % longest))] = None
    return list(found)


def compare(
    base: Path,
    artifacts: ArtifactStore,
    versions: Mapping[str, tuple[Adapter, ServedVersion]],
    texts: Sequence[str],
    new_tokens: int,
) -> Compared:
    """Every version answers every text, all of them submitted at once."""
    sessions: list[Gated] = []

    def opened(graph: Path) -> Gated:
        sessions.append(Gated(graph))
        return sessions[-1]

    engine = DecodeEngine(artifacts, opened, Metrics())
    try:
        for _, served in versions.values():
            engine.load(served)
        [session] = sessions
        loaded = len(session.runs)
        requests = asyncio.run(
            _written(engine, {name: served for name, (_, served) in versions.items()}, texts, new_tokens)
        )
    finally:
        engine.close()
    ours = {name: [request.ids[len(ids) :] for ids, request in of_one] for name, of_one in requests.items()}
    read = [ids for ids, _ in next(iter(requests.values()))]
    theirs, differences = {}, list[Difference]()
    for name, (adapter, served) in versions.items():
        reference = Reference(base, adapter, served.graph.identity.generation.stop_token_ids)
        theirs[name] = reference.write(read, new_tokens)
        differences += differences_of(name, reference, read, ours[name], theirs[name])
    runs = list(zip(session.runs, session.slots, strict=True))[loaded:]
    steps = [slots for (_, width), slots in runs if width == 1]
    mixed = sum(len(slots) == len(versions) for slots in steps)
    return Compared(
        read, ours, theirs, differences, len(steps), mixed, sum(count > 1 < width for (count, width), _ in runs)
    )


def differences_of(
    version: str,
    reference: "Reference",
    read: Sequence[Sequence[int]],
    ours: Sequence[Sequence[int]],
    theirs: Sequence[Sequence[int]],
) -> list[Difference]:
    return [
        Difference(version, number, place, reference.gap(read[number], mine, other, place))
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        if (place := _first_difference(mine, other)) is not None
    ]


class Reference:
    """One version in PyTorch, its adapter applied by PEFT."""

    def __init__(self, base: Path, adapter: Adapter, stop_token_ids: Sequence[int]) -> None:
        assert isinstance(adapter.change, LowRankChange)
        factors, r = adapter.change.factors, adapter.change.r
        self._network: Any = load_causal_lm(base).encoder
        inject_adapter_in_model(LoraConfig(r=r, lora_alpha=r, target_modules=list(factors)), self._network)
        for path, module in self._network.named_modules():
            if isinstance(module, Linear):
                module.get_parameter("lora_A.default.weight").data = torch.from_numpy(factors[path].a)
                module.get_parameter("lora_B.default.weight").data = torch.from_numpy(factors[path].b)
        self._network.eval()
        self._stop_token_ids = list(stop_token_ids)

    def write(self, read: Sequence[Sequence[int]], new_tokens: int) -> list[list[int]]:
        """By `generate`; only prompts of one length are a batch, so that nothing is padded."""
        found: dict[int, list[int]] = {}
        by_length = sorted(range(len(read)), key=lambda number: len(read[number]))
        for length, group in groupby(by_length, key=lambda number: len(read[number])):
            numbers = list(group)
            ids = torch.tensor([read[number] for number in numbers])
            with torch.no_grad():
                written = self._network.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=new_tokens,
                    eos_token_id=self._stop_token_ids,
                    pad_token_id=self._stop_token_ids[0],
                    do_sample=False,
                )
            for number, row in zip(numbers, written[:, length:].tolist(), strict=True):
                found[number] = list(self._up_to_its_end(row))
        return [found[number] for number in range(len(read))]

    def gap(self, read: Sequence[int], ours: Sequence[int], theirs: Sequence[int], place: int) -> float:
        if place >= min(len(ours), len(theirs)):
            return math.inf
        with torch.no_grad():
            logits = self._network(input_ids=torch.tensor([[*read, *theirs[:place]]])).logits[0, -1]
        return float(logits[theirs[place]] - logits[ours[place]])

    def _up_to_its_end(self, row: Sequence[int]) -> Iterator[int]:
        for token in row:
            yield token
            if token in self._stop_token_ids:
                return


async def _written(
    engine: DecodeEngine, versions: Mapping[str, ServedVersion], texts: Sequence[str], new_tokens: int
) -> dict[str, list[tuple[list[int], Request]]]:
    """By version and text, the prompt's ids and the request when it is written."""
    submitted: list[Request] = []
    for version in versions.values():
        _keep_what_is_submitted(engine, version, submitted)

    async def write(text: str, version: ServedVersion) -> list[int]:
        asked = Asked(prompt=text, max_tokens=new_tokens, temperature=0)
        [question] = engine.admit([asked], [version], math.inf)
        await engine.answer([question], version)
        loaded = engine._bases.find(version)
        assert loaded is not None
        return question.prompt(loaded)

    asked = [(name, text) for text in texts for name in versions]
    ids = await asyncio.gather(*(write(text, versions[name]) for name, text in asked))
    assert len(submitted) == len(asked)
    found: dict[str, list[tuple[list[int], Request]]] = {name: [] for name in versions}
    for (name, _), prompt, request in zip(asked, ids, submitted, strict=True):
        assert (request.version, request.ids[: len(prompt)]) == (str(versions[name].id), prompt)
        found[name].append((prompt, request))
    return found


def _keep_what_is_submitted(engine: DecodeEngine, version: ServedVersion, submitted: list[Request]) -> None:
    """What an engine answers is text: tokens that have none, and where text is one token or two, are seen here."""
    loaded = engine._bases.find(version)
    assert loaded is not None
    scheduler = loaded.base.scheduler
    if "submit" in vars(scheduler):
        return
    submit = scheduler.submit

    def kept(request: Request) -> None:
        submitted.append(request)
        submit(request)

    scheduler.submit = kept  # type: ignore[method-assign]


def _first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int | None:
    if ours == theirs:
        return None
    shared = min(len(ours), len(theirs))
    return next((place for place in range(shared) if ours[place] != theirs[place]), shared)
