"""The linear head of a text classification, as files and graphs hold it, and the digest that names it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas.artifacts import Digest
from schemas.model.tasks import TextClassification
from workers.base.arrays import Floats

_WEIGHT: Final = "head.weight"
_BIAS: Final = "head.bias"


@dataclass(frozen=True)
class Head:
    """logits = features · weightᵀ + bias."""

    weight: Floats  # [labels, features]
    bias: Floats  # [labels]

    def tensors(self) -> dict[str, Floats]:
        return {_WEIGHT: self.weight, _BIAS: self.bias}


def read_head(task: TextClassification, tensors: dict[str, Floats]) -> Head:
    """The head of an adapter file, whose tensors it takes away. ValueError: it is not the one that the task names."""
    if lacking := [name for name in (_WEIGHT, _BIAS) if name not in tensors]:
        raise ValueError(f"lacks tensor {lacking[0]}")
    head, labels = Head(tensors.pop(_WEIGHT), tensors.pop(_BIAS)), len(task.labels)
    if head.weight.ndim != 2 or head.weight.shape[0] != labels or head.bias.shape != (labels,):
        raise ValueError(f"head of shape {head.weight.shape} does not fit {labels} labels")
    if (found := head_digest(head, task.labels)) != task.head_digest:
        raise ValueError(f"its head has digest {found}, its identity says {task.head_digest}")
    return head


def head_digest(head: Head, labels: tuple[str, ...]) -> Digest:
    """Equal digests mean one head: the same numbers for the same labels in the same order."""
    digest = hashlib.sha256()
    digest.update(json.dumps([labels, head.weight.shape], ensure_ascii=True).encode())
    digest.update(np.ascontiguousarray(head.weight, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(head.bias, dtype="<f4").tobytes())
    return f"sha256:{digest.hexdigest()}"
