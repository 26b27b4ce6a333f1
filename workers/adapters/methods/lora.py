"""LoRA by PEFT: a spec's settings as its configuration, and its factors as ours."""

import numpy as np
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear
from torch import nn

from schemas.model.methods import Lora
from workers.adapters.forms.low_rank.change import Factors, LowRankChange
from workers.adapters.forms.low_rank.modules import target_paths

_ADAPTER = "default"


def inject(encoder: nn.Module, asked: Lora) -> nn.Module:
    config = LoraConfig(
        r=asked.r,
        lora_alpha=asked.lora_alpha,  # type: ignore[arg-type] # PEFT says int but only divides it
        lora_dropout=asked.lora_dropout,
        target_modules=target_paths(encoder, asked.target_modules),
        use_rslora=asked.use_rslora,
    )
    inject_adapter_in_model(config, encoder, _ADAPTER)
    encoder.eval()
    # LoRA's own dropout only: with a few hundred steps the base's dropout is noise that never averages out.
    for layer in _layers(encoder).values():
        layer.get_submodule("lora_dropout").train()
    return encoder


def change_of(encoder: nn.Module) -> LowRankChange:
    """PEFT's scaling (lora_alpha / r, or / √r) goes into B: whoever reads factors need not know their method."""
    return LowRankChange({path: _factors_of(layer) for path, layer in _layers(encoder).items()})


def _layers(encoder: nn.Module) -> dict[str, Linear]:
    return {path: module for path, module in encoder.named_modules() if isinstance(module, Linear)}


def _factors_of(layer: Linear) -> Factors:
    a, b = (layer.get_parameter(f"{factor}.{_ADAPTER}.weight").detach().numpy() for factor in ("lora_A", "lora_B"))
    return Factors(a, (b * layer.scaling[_ADAPTER]).astype(np.float32))
