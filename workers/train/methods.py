"""Parameter-efficient methods: a spec's LoRA settings as PEFT's, and PEFT's factors as ours."""

import numpy as np
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from schemas.model.methods import Lora
from workers.model.adapter import Factors
from workers.model.lora import target_paths


def inject_lora(encoder: nn.Module, lora: Lora) -> list[str]:
    """Put trainable LoRA layers into `encoder`; the answer is where."""
    paths = target_paths(encoder, lora.target_modules)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.lora_alpha,  # type: ignore[arg-type] # PEFT says int but only divides it
        lora_dropout=lora.lora_dropout,
        target_modules=paths,
        use_rslora=lora.use_rslora,
    )
    inject_adapter_in_model(config, encoder)
    return paths


def extract_factors(encoder: nn.Module, paths: list[str]) -> dict[str, Factors]:
    """PEFT's scaling (lora_alpha / r, or / √r) goes into B: whoever reads factors need not know their method."""
    return {path: _factors_of(encoder.get_submodule(path)) for path in paths}


def _factors_of(layer: nn.Module) -> Factors:
    a = layer.get_parameter("lora_A.default.weight").detach().numpy()
    b = layer.get_parameter("lora_B.default.weight").detach().numpy()
    scaling: float = layer.scaling["default"]  # type: ignore[index,assignment]
    return Factors(a, (b * scaling).astype(np.float32))
