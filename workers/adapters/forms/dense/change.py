"""The dense change: new values of some of the base's weights, which are in a graph of the version's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from schemas.model.forms import Dense
from workers.base.arrays import Floats

_PREFIX: Final = "base."


@dataclass(frozen=True)
class DenseChange:
    weights: Mapping[str, Floats]
    """By the parameter's path inside the encoder, such as `encoder.layer.0.output.dense.weight`."""

    @classmethod
    def read(cls, form: Dense, tensors: Mapping[str, Floats]) -> Self:
        """ValueError: the tensors are not those of such a form."""
        if unknown := sorted(name for name in tensors if not name.startswith(_PREFIX)):
            raise ValueError(f"holds unknown tensor {unknown[0]}; expected {_PREFIX}… and head only")
        if not tensors:
            raise ValueError(f"holds no tensor {_PREFIX}…; expected the weights that are not the base's")
        return cls({name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()})

    def tensors(self) -> dict[str, Floats]:
        return {f"{_PREFIX}{name}": weight for name, weight in self.weights.items()}

    def graph_inputs(self) -> dict[str, Floats]:
        return {}
