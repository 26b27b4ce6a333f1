"""Adapters of a tiny decoder that nobody trained."""

from pathlib import Path

import numpy as np
from torch import nn

from tests.support.builders.models import identity
from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.change import Factors, LowRankChange
from workers.adapters.forms.low_rank.modules import target_paths
from workers.base.loading import load_causal_lm
from workers.tasks.text_generation.examples import Format


def decoder_adapter(
    base_folder: Path, r: int, seed: int, target_modules: tuple[str, ...], scale: float = 0.2
) -> Adapter:
    """Updates large enough to turn answers; `scale`: of the factors' entries, less for a base that was trained."""
    base = load_causal_lm(base_folder)
    generator = np.random.default_rng(seed)
    factors: dict[str, Factors] = {}
    for path in target_paths(base.encoder, target_modules):
        layer = base.encoder.get_submodule(path)
        assert isinstance(layer, nn.Linear)
        a, b = generator.normal(size=(r, layer.in_features)), generator.normal(size=(layer.out_features, r))
        factors[path] = Factors((scale * a).astype(np.float32), (scale * b).astype(np.float32))
    of_base = base.identity("file:///base").model_dump()
    form = {"r": r, "target_modules": target_modules}
    said = identity(base=of_base, task=Format(base_folder).task(), form=form, max_length=64)
    return Adapter(said, LowRankChange(factors))
