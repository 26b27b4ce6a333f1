"""The low-rank change: each target module's factors, in the adapter file and as inputs of the base graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from schemas.model.forms import LowRank
from workers.base.arrays import Floats


@dataclass(frozen=True)
class Factors:
    """One module's update, B·A, laid out as PEFT does, with the scaling of whatever method found it folded into B."""

    a: Floats  # [r, in]
    b: Floats  # [out, r]


@dataclass(frozen=True)
class LowRankChange:
    factors: Mapping[str, Factors]
    """By the module's path inside the encoder, such as `encoder.layer.0.attention.self.query`; empty when r is 0."""

    @property
    def r(self) -> int:
        return next((factors.a.shape[0] for factors in self.factors.values()), 0)

    @classmethod
    def read(cls, form: LowRank, tensors: Mapping[str, Floats]) -> Self:
        """ValueError: the tensors are not those of such a form."""
        modules = {name.rpartition(".")[0] for name in tensors}
        expected = {f"{module}.{factor}" for module in modules for factor in ("lora_A", "lora_B")}
        if lacking := sorted(expected - set(tensors)):
            raise ValueError(f"lacks tensor {lacking[0]}")
        if unknown := sorted(set(tensors) - expected):
            raise ValueError(f"holds unknown tensor {unknown[0]}; expected lora_A, lora_B and head only")
        factors = {m: Factors(tensors[f"{m}.lora_A"], tensors[f"{m}.lora_B"]) for m in sorted(modules)}
        for module, found in factors.items():
            if found.a.ndim != 2 or found.b.ndim != 2 or found.a.shape[0] != form.r or found.b.shape[1] != form.r:
                raise ValueError(f"{module} has {found.a.shape} and {found.b.shape}, expected rank {form.r}")
        return cls(factors)

    def tensors(self) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for module, factors in self.factors.items():
            found |= {f"{module}.lora_A": factors.a, f"{module}.lora_B": factors.b}
        return found

    def graph_inputs(self) -> dict[str, Floats]:
        """Transposed, as `LoraLinear` multiplies."""
        return {name: tensor.T for name, tensor in self.tensors().items()}
