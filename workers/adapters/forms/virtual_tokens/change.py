"""The virtual-token change: rows put before a text's embeddings, an optional input of the base graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from schemas.model.forms import VirtualTokens
from workers.base.arrays import Floats

INPUT: Final = "virtual_tokens"
"""The name of the tensor in the adapter file, and of the base graph's input."""


@dataclass(frozen=True)
class VirtualTokensChange:
    rows: Floats  # [num_virtual_tokens, embedding]

    @classmethod
    def read(cls, form: VirtualTokens, tensors: Mapping[str, Floats]) -> Self:
        """ValueError: the tensors are not those of such a form."""
        if INPUT not in tensors:
            raise ValueError(f"lacks tensor {INPUT}")
        if unknown := sorted(set(tensors) - {INPUT}):
            raise ValueError(f"holds unknown tensor {unknown[0]}; expected {INPUT} and head only")
        rows = tensors[INPUT]
        if rows.ndim != 2 or rows.shape[0] != form.num_virtual_tokens:
            raise ValueError(f"{INPUT} has shape {rows.shape}, expected {form.num_virtual_tokens} rows")
        return cls(rows)

    def tensors(self) -> dict[str, Floats]:
        return {INPUT: self.rows}

    def graph_inputs(self) -> dict[str, Floats]:
        return {INPUT: self.rows}
