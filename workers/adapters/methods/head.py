"""The head alone: nothing of the encoder is trained."""

from torch import nn

from schemas.model.methods import HeadAlone
from workers.adapters.forms.low_rank.change import LowRankChange


def inject(encoder: nn.Module, asked: HeadAlone) -> nn.Module:
    return encoder


def change_of(encoder: nn.Module) -> LowRankChange:
    return LowRankChange({})
