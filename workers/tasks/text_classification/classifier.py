"""The classifier that is trained, exported and served: an encoder, the feature recipe and a linear head."""

import numpy as np
import torch
from torch import Tensor, nn

from workers.adapters.head import Head
from workers.tasks.text_classification.features import features


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
