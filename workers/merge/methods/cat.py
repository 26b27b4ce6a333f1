"""Merge by concatenating LoRA factors: exactly the weighted sum of the updates, and the rank adds up.

PEFT's combination_type "cat" (https://huggingface.co/docs/peft/developer_guides/model_merging).
"""

from collections.abc import Sequence

import numpy as np

from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.change import Factors, LowRankChange
from workers.base.arrays import Floats


def cat(adapters: Sequence[Adapter], weights: Sequence[float]) -> LowRankChange:
    """Factors of the sum of weight · B·A."""
    modules = sorted({module for adapter in adapters for module in adapter.change.factors})
    return LowRankChange({module: _concatenate(module, adapters, weights) for module in modules})


def _concatenate(module: str, adapters: Sequence[Adapter], weights: Sequence[float]) -> Factors:
    like = next(adapter.change.factors[module] for adapter in adapters if module in adapter.change.factors)
    a: list[Floats] = []
    b: list[Floats] = []
    for adapter, weight in zip(adapters, weights, strict=True):
        r = adapter.identity.form.r
        # One file has one rank: where an adapter leaves this module alone, zeros fill its part.
        factors = adapter.change.factors.get(module) or Factors(
            np.zeros((r, like.a.shape[1]), np.float32), np.zeros((like.b.shape[0], r), np.float32)
        )
        a.append(factors.a)
        # The weight goes into B alone: folded into both factors it would count twice.
        b.append((factors.b * weight).astype(np.float32))
    return Factors(np.concatenate(a, axis=0), np.concatenate(b, axis=1))
