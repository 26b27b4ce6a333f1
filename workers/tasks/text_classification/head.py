"""The linear head of a text classification, as files and graphs hold it, and the digest that names it."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from schemas.artifacts import Digest
from workers.base.arrays import Floats


@dataclass(frozen=True)
class Head:
    """logits = features · weightᵀ + bias."""

    weight: Floats  # [labels, features]
    bias: Floats  # [labels]


def head_digest(head: Head, labels: tuple[str, ...]) -> Digest:
    """Equal digests mean one head: the same numbers for the same labels in the same order."""
    digest = hashlib.sha256()
    digest.update(json.dumps([labels, head.weight.shape], ensure_ascii=True).encode())
    digest.update(np.ascontiguousarray(head.weight, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(head.bias, dtype="<f4").tobytes())
    return f"sha256:{digest.hexdigest()}"
