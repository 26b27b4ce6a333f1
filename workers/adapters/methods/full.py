"""Full fine-tuning: every weight of the encoder is trained."""

import numpy as np
from torch import nn

from schemas.model.methods import Full
from workers.adapters.forms.dense.change import DenseChange


def inject(encoder: nn.Module, asked: Full) -> nn.Module:
    return encoder.requires_grad_(True)


def change_of(encoder: nn.Module) -> DenseChange:
    trained = {name: weight for name, weight in encoder.named_parameters() if weight.requires_grad}
    return DenseChange({name: weight.detach().numpy().astype(np.float32) for name, weight in trained.items()})
