"""Compares a decoder graph with the PyTorch model of its base: greedy answers to random prompts, token by token."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from workers.adapters.files import Adapter
from workers.adapters.reference import check_fits, fold
from workers.base.arrays import Logits
from workers.base.loading import Base
from workers.export.parity import Parity, ServedGraph
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.session import DecoderSession

_VERSION: Final = "parity"
_NEW_TOKENS: Final = 8
"""How far each answer is compared."""
_PROMPT_TOKENS: Final = (1, 4, 24)
"""Prompts that are read together have different lengths."""


def measure_parity(graph: ServedGraph, base: Base, adapter: Adapter, rows: int) -> Parity:
    """The graph is told PyTorch's tokens, so that one near tie does not make two texts of one."""
    session = DecoderSession(graph.base_graph)
    session.load(_VERSION, graph.onnx_adapter)
    check_fits(base, adapter)
    network = fold(base, adapter).eval()
    prompts = random_prompts(base.config.vocab_size, rows, base.max_length - _NEW_TOKENS)
    expected = _greedy(network, prompts)
    found = _told(session, prompts, expected.argmax(axis=2).tolist())
    difference = np.abs(expected - found).max()
    agreement = (expected.argmax(axis=2) == found.argmax(axis=2)).mean()
    return Parity(float(difference), float(agreement), rows)


def random_prompts(vocabulary: int, count: int, longest: int) -> list[list[int]]:
    """Tokens of the base's own vocabulary: parity must not depend on anybody's data."""
    generator = np.random.default_rng(0)
    lengths = [min(longest, _PROMPT_TOKENS[row % len(_PROMPT_TOKENS)]) for row in range(count)]
    return [generator.integers(vocabulary, size=length).tolist() for length in lengths]


def _greedy(network: Any, prompts: Sequence[Sequence[int]]) -> Logits:
    """Logits of each token of PyTorch's answers, each from the whole text before it; those of one length together."""
    found = np.empty((len(prompts), _NEW_TOKENS, network.config.vocab_size), np.float32)
    for length in {len(prompt) for prompt in prompts}:
        rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
        ids = torch.tensor([prompts[row] for row in rows])
        for step in range(_NEW_TOKENS):
            with torch.no_grad():
                logits = network(input_ids=ids, use_cache=False).logits[:, -1]
            found[rows, step] = logits.numpy()
            ids = torch.cat([ids, logits.argmax(dim=1, keepdim=True)], dim=1)
    return found


def _told(session: DecoderSession, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Logits:
    """The graph's logits where it is told each token of the answers, all of them in one batch."""
    decoding = Decoding(session)
    try:
        _, logits = decoding.join(prompts, [_VERSION] * len(prompts))
        steps = [logits]
        for step in range(_NEW_TOKENS - 1):
            steps.append(decoding.step([answer[step] for answer in answers]))
    finally:
        decoding.close()
    return np.stack(steps, axis=1)
