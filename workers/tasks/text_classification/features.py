"""Feature recipe mid-last-mean-v1: how an encoder's hidden states become the head's input."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

# A linear head learns a unit vector too slowly at LoRA's learning rates; measured with this factor (README, "Why").
SCALE: Final = 10.0


def features(hidden_states: Sequence[Tensor], attention_mask: Tensor) -> Tensor:
    """[n, 2·hidden]: L2-normalised mean over the text of the middle and of the last layer, of norm SCALE together."""
    middle, last = hidden_states[(len(hidden_states) - 1) // 2], hidden_states[-1]
    mask = attention_mask.unsqueeze(-1).to(last.dtype)
    means = [normalize(_masked_mean(_of_the_text(states, mask), mask), dim=-1) for states in (middle, last)]
    return torch.cat(means, dim=-1) * (SCALE / 2**0.5)


def _of_the_text(states: Tensor, mask: Tensor) -> Tensor:
    """Without those of virtual tokens, which stand before it."""
    return states[:, states.shape[1] - mask.shape[1] :]


def _masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
