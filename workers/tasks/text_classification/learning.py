"""What training has to know of text classification: what a row's target is, what its loss is, how good answers are."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workers.runtime.errors import JobError


def targets(labels_of_rows: Sequence[str], labels: tuple[str, ...], where: str) -> list[int]:
    """Each row's label as its number among the version's labels."""
    numbers = {label: number for number, label in enumerate(labels)}
    if unknown := sorted(set(labels_of_rows) - set(numbers)):
        raise JobError(f"{where} holds label {unknown[0]!r}; expected one of {list(labels)}")
    return [numbers[label] for label in labels_of_rows]


def loss(logits: Tensor, expected: Sequence[int]) -> Tensor:
    """The mean over rows."""
    return cross_entropy(logits, torch.tensor(expected))


def accuracy(logits: Tensor, expected: Sequence[int]) -> float:
    """The share of rows whose label has the greatest logit."""
    return float((logits.argmax(dim=1) == torch.tensor(expected)).float().mean())
