"""Full fine-tuning: every weight of the encoder is trained."""

from torch import nn

from schemas.model.methods import Full
from workers.adapters.forms.dense.modules import change_of

__all__ = ["change_of", "inject"]


def inject(encoder: nn.Module, asked: Full) -> nn.Module:
    return encoder.requires_grad_(True)
