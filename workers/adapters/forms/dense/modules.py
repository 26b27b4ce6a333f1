"""The dense change in PyTorch: its check against a base, and its folding."""

import numpy as np
import torch
from torch import nn

from workers.adapters.forms.dense.change import DenseChange
from workers.base.loading import Base
from workers.runtime.errors import JobError


def check_fits(base: Base, change: DenseChange, max_length: int) -> None:
    parameters = dict(base.encoder.named_parameters())
    for path, weight in change.weights.items():
        if path not in parameters:
            raise JobError(f"the adapter changes {path}, which is no weight of this base")
        if weight.shape != tuple(parameters[path].shape):
            raise JobError(f"the adapter's {path} has shape {weight.shape}, the base's {tuple(parameters[path].shape)}")


def fold(encoder: nn.Module, change: DenseChange) -> nn.Module:
    """The encoder with the change's weights in place of its own."""
    with torch.no_grad():
        for path, weight in change.weights.items():
            encoder.get_parameter(path).copy_(torch.from_numpy(weight.copy()))
    return encoder


def change_of(encoder: nn.Module) -> DenseChange:
    """The weights that a method has trained, whichever it chose to train."""
    trained = {name: weight for name, weight in encoder.named_parameters() if weight.requires_grad}
    return DenseChange({name: weight.detach().numpy().astype(np.float32) for name, weight in trained.items()})
