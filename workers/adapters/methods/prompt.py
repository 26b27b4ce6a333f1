"""Prompt tuning by PEFT: a few rows before each text's embeddings are trained."""

import numpy as np
from peft import PromptTuningConfig, TaskType, get_peft_model
from torch import nn

from schemas.model.methods import PromptTuning
from workers.adapters.forms.virtual_tokens.change import VirtualTokensChange

_ADAPTER = "default"


def inject(encoder: nn.Module, asked: PromptTuning) -> nn.Module:
    config = PromptTuningConfig(num_virtual_tokens=asked.num_virtual_tokens, task_type=TaskType.FEATURE_EXTRACTION)
    model: nn.Module = get_peft_model(encoder, config, _ADAPTER)
    return model.eval()


def change_of(encoder: nn.Module) -> VirtualTokensChange:
    rows = encoder.get_parameter(f"prompt_encoder.{_ADAPTER}.embedding.weight")
    return VirtualTokensChange(rows.detach().numpy().astype(np.float32))
