"""The virtual-token change in PyTorch: an encoder that reads rows before its text, and its check against a base."""

from typing import Any

import torch
from torch import Tensor, nn

from workers.adapters.forms.virtual_tokens.change import VirtualTokensChange
from workers.base.loading import Base
from workers.runtime.errors import JobError


def encode_after(encoder: nn.Module, rows: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Any:
    """What the encoder says of the rows and then of the text: the text's states are the last ones of each layer."""
    texts = input_ids.shape[0]  # `len` would make a constant of it in a graph
    embeddings = encoder.get_input_embeddings()(input_ids)  # type: ignore[operator]
    return encoder(
        inputs_embeds=torch.cat([rows.unsqueeze(0).expand(texts, -1, -1), embeddings], dim=1),
        attention_mask=torch.cat([attention_mask.new_ones(texts, rows.shape[0]), attention_mask], dim=1),
        output_hidden_states=True,
    )


class PrefixedEncoder(nn.Module):
    """An encoder that reads the same rows before every text."""

    def __init__(self, encoder: nn.Module, rows: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.rows = nn.Parameter(rows, requires_grad=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, output_hidden_states: bool = True) -> Any:
        return encode_after(self.encoder, self.rows, input_ids, attention_mask)


def check_length(base: Base, max_length: int, num_virtual_tokens: int) -> None:
    if max_length + num_virtual_tokens > base.max_length:
        raise JobError(
            f"max_length is {max_length} and num_virtual_tokens {num_virtual_tokens}, "
            f"this base takes at most {base.max_length} tokens together"
        )


def check_fits(base: Base, change: VirtualTokensChange, max_length: int) -> None:
    width = base.encoder.get_input_embeddings().embedding_dim  # type: ignore[operator]
    if change.rows.shape[1] != width:
        raise JobError(f"the adapter's virtual tokens have {change.rows.shape[1]} dimensions, this base's {width}")
    check_length(base, max_length, len(change.rows))


def fold(encoder: nn.Module, change: VirtualTokensChange) -> nn.Module:
    """The encoder behind the change's rows; its weights stay."""
    return PrefixedEncoder(encoder, torch.from_numpy(change.rows.copy()))
