"""The classifier that is trained, exported and served: an encoder, the feature recipe and a linear head."""

import numpy as np
import torch
from torch import Tensor, nn

from workers.model.adapter import Adapter, Head
from workers.model.base import Base
from workers.model.features import features
from workers.runtime.errors import JobError


class LinearHead(nn.Module):
    """features @ weight + bias; weight is [features, labels], as the graph takes it. Starts at zero: no seed needed."""

    def __init__(self, feature_size: int, labels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(feature_size, labels))
        self.bias = nn.Parameter(torch.zeros(labels))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight + self.bias

    def load(self, head: Head) -> None:
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(head.weight.T.copy()))
            self.bias.copy_(torch.from_numpy(head.bias.copy()))

    def dump(self) -> Head:
        weight = self.weight.detach().numpy().T.astype(np.float32)
        return Head(np.ascontiguousarray(weight), self.bias.detach().numpy().astype(np.float32))


class Classifier(nn.Module):
    """Token ids in, logits out."""

    def __init__(self, encoder: nn.Module, feature_size: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = LinearHead(feature_size, labels)

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        return features(states.hidden_states, attention_mask)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(input_ids, attention_mask))
        return logits


def merged_classifier(base: Base, adapter: Adapter) -> Classifier:
    """`adapter` folded into the weights of `base`'s encoder, which belongs to the answer from now on."""
    check_fits(base, adapter)
    with torch.no_grad():
        for path, factors in adapter.factors.items():
            update = torch.from_numpy(factors.b) @ torch.from_numpy(factors.a)
            base.encoder.get_submodule(path).weight.add_(update)  # type: ignore[operator]
    classifier = Classifier(base.encoder, base.feature_size, len(adapter.identity.task.labels))
    classifier.head.load(adapter.head)
    return classifier.eval()


def check_fits(base: Base, adapter: Adapter) -> None:
    """An adapter of another base, or of other shapes, is refused with the difference."""
    if (made_for := adapter.identity.base.digest) != base.digest:
        raise JobError(f"the adapter was made for base {made_for}, this base is {base.digest}")
    if adapter.head.weight.shape[1] != base.feature_size:
        raise JobError(
            f"the adapter's head takes {adapter.head.weight.shape[1]} features, this base gives {base.feature_size}"
        )
    linears = {path: module for path, module in base.encoder.named_modules() if isinstance(module, nn.Linear)}
    for path, factors in adapter.factors.items():
        if path not in linears:
            raise JobError(f"the adapter changes {path}, which is no linear layer of this base")
        shape = (factors.b.shape[0], factors.a.shape[1])
        if shape != tuple(linears[path].weight.shape):
            raise JobError(f"the adapter's update of {path} has shape {shape}, the layer {linears[path].weight.shape}")
