"""Merge by concatenating LoRA factors: exactly the weighted sum of the updates, and the rank adds up.

PEFT's combination_type "cat" (https://huggingface.co/docs/peft/developer_guides/model_merging).
"""

from collections.abc import Sequence

import numpy as np

from workers.adapters.forms.low_rank.change import Factors, LowRankChange
from workers.base.arrays import Floats


def cat(changes: Sequence[LowRankChange], weights: Sequence[float]) -> LowRankChange:
    """Factors of the sum of weight · B·A."""
    modules = sorted({module for change in changes for module in change.factors})
    return LowRankChange({module: _concatenate(module, changes, weights) for module in modules})


def _concatenate(module: str, changes: Sequence[LowRankChange], weights: Sequence[float]) -> Factors:
    like = next(change.factors[module] for change in changes if module in change.factors)
    a: list[Floats] = []
    b: list[Floats] = []
    for change, weight in zip(changes, weights, strict=True):
        # One file has one rank: where a change leaves this module alone, zeros fill its part.
        factors = change.factors.get(module) or Factors(
            np.zeros((change.r, like.a.shape[1]), np.float32), np.zeros((like.b.shape[0], change.r), np.float32)
        )
        a.append(factors.a)
        # The weight goes into B alone: folded into both factors it would count twice.
        b.append((factors.b * weight).astype(np.float32))
    return Factors(np.concatenate(a, axis=0), np.concatenate(b, axis=1))
