"""How a version's change is stored and served: all that export, merge, serving and audits need to know of a method."""

from typing import Literal

from pydantic import Field

from schemas.base import Tolerant
from schemas.model.methods import TargetModule, TrainMethod

MAX_RANK = 4096
"""The rank of a version's update: a merge of 16 versions of rank 256 has it."""


class LowRank(Tolerant):
    """Each target module answers W·x + B·A·x, whatever scaling its method has folded into B."""

    type: Literal["low_rank"] = "low_rank"
    """The form."""
    r: int = Field(ge=0, le=MAX_RANK)
    """Rank of the update of each target module; 0: there is none, the version is its head. Unit: dimensions."""
    target_modules: tuple[TargetModule, ...]
    """The base's linear layers that take an update, by the ends of their names."""


Form = LowRank


def form_of(asked: TrainMethod) -> Form:
    """The form in which a training's change is stored."""
    if asked.type == "head":
        return LowRank(r=0, target_modules=())
    return LowRank(r=asked.r, target_modules=asked.target_modules)
