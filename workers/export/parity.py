"""Compares the served graph with the PyTorch model that it was exported from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from workers.adapters.files import Adapter
from workers.base.loading import Base
from workers.base.tokenizer import TextTokenizer
from workers.graph.session import GraphSession
from workers.tasks.text_classification.reference import reference_classifier

_SHORT_WORDS: Final = 3


@dataclass(frozen=True)
class Parity:
    max_abs_diff: float
    agreement: float
    """Share of the labels, or of the tokens of greedy answers, that are the same."""
    rows: int


@dataclass(frozen=True)
class ServedGraph:
    base_graph: Path
    onnx_adapter: Path


def measure_parity(graph: ServedGraph, base: Base, adapter: Adapter, rows: int) -> Parity:
    """On short texts and on texts that are cut, as two batches. `base`'s weights are changed by it."""
    max_length = adapter.identity.max_length
    tokenizer = TextTokenizer(base.tokenizer_file, max_length)
    session = GraphSession(graph.base_graph, base.tokenizer_file, max_length)
    session.load("parity", graph.onnx_adapter)
    classifier = reference_classifier(base, adapter)
    expected, found = [], []
    for words, count in ((_SHORT_WORDS, rows // 2), (2 * max_length, rows - rows // 2)):
        texts = random_texts(tokenizer, count, words)
        batch = tokenizer.pad(tokenizer.encode(texts))
        with torch.no_grad():
            logits = classifier(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask))
        expected.append(logits.numpy())
        found.append(session.logits(texts, "parity"))
    return _compare(np.concatenate(expected), np.concatenate(found))


def random_texts(tokenizer: TextTokenizer, count: int, words: int) -> list[str]:
    """Words of the base's own vocabulary: parity must not depend on anybody's data."""
    vocabulary = sorted(word for word in tokenizer.vocabulary() if word.isalpha())
    chosen = np.random.default_rng(0).integers(len(vocabulary), size=(count, words))
    return [" ".join(vocabulary[index] for index in row) for row in chosen]


def _compare(expected: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> Parity:
    difference = np.abs(expected - found).max()
    agreement = (expected.argmax(axis=1) == found.argmax(axis=1)).mean()
    return Parity(float(difference), float(agreement), len(expected))
