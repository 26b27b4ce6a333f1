"""A dataset version's rows as token ids and class numbers, and the order in which training meets them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.artifacts import DatasetRef, Split
from workers.base.tokenizer import TextTokenizer
from workers.data.manifest import Rows, read_split
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import JobError
from workers.tasks.text_classification.learning import targets

# Rows are sorted by length inside windows of so many batches: little padding, and batches still vary between epochs.
_WINDOW: Final = 32


@dataclass(frozen=True)
class Examples:
    tokens: list[list[int]]
    targets: list[int]

    def __len__(self) -> int:
        return len(self.tokens)


def read_examples(
    artifacts: ArtifactStore, dataset: DatasetRef, split: Split, labels: tuple[str, ...], tokenizer: TextTokenizer
) -> Examples:
    rows = read_split(artifacts, dataset, split)
    where = f"dataset {dataset.dataset}/{dataset.version} split {split}"
    return Examples(tokenizer.encode(rows.texts), targets(rows.labels, labels, where))


def read_texts(artifacts: ArtifactStore, dataset: DatasetRef, tokenizer: TextTokenizer, limit: int) -> list[list[int]]:
    """Token ids of the first train rows of a dataset whose labels do not matter."""
    rows: Rows = read_split(artifacts, dataset, "train")
    if not len(rows):
        raise JobError(f"dataset {dataset.dataset}/{dataset.version} has no train rows")
    return tokenizer.encode(rows.texts[:limit])


def draw(examples: Examples, max_rows: int | None, seed: int) -> Examples:
    """At most `max_rows` rows, drawn by the seed."""
    if max_rows is None or max_rows >= len(examples):
        return examples
    chosen = np.random.default_rng([seed, 0]).permutation(len(examples))[:max_rows]
    return Examples([examples.tokens[i] for i in chosen], [examples.targets[i] for i in chosen])


def epoch_batches(examples: Examples, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers of each batch of one epoch: a function of its arguments alone, so a resumed run meets the same."""
    generator = np.random.default_rng([seed, 1 + epoch])
    order = generator.permutation(len(examples)).tolist()
    window = batch_size * _WINDOW
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        rows = sorted(order[start : start + window], key=lambda row: len(examples.tokens[row]))
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]
