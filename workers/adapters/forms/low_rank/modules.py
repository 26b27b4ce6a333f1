"""The low-rank change in PyTorch: where it goes in an encoder, its layer of the served graph, and its folding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from workers.adapters.forms.low_rank.change import LowRankChange
from workers.base.loading import Base
from workers.runtime.errors import JobError


def target_paths(encoder: nn.Module, target_modules: Sequence[str]) -> list[str]:
    """Paths of the linear layers that `target_modules` names, by PEFT's rule: the whole path or its ending."""
    linears = list(_linears(encoder))
    for target in target_modules:
        if not any(_names(target, path) for path in linears):
            endings = sorted({path.rpartition(".")[2] for path in linears})
            raise JobError(
                f"target_modules names {target}, which this base does not have; its linear layers end in {endings}"
            )
    return [path for path in linears if any(_names(target, path) for target in target_modules)]


def all_linear(encoder: nn.Module) -> dict[str, nn.Linear]:
    """Every linear layer but the one that makes logits, by its path."""
    logits = encoder.get_output_embeddings()  # type: ignore[operator]
    return {path: module for path, module in _linears(encoder).items() if module is not logits}


def linear_endings(encoder: nn.Module) -> tuple[str, ...]:
    """The ends of the names of all linear layers but the one that makes logits: `all-linear` as PEFT means it."""
    found = {path.rpartition(".")[2] for path in all_linear(encoder)}
    if not found:
        raise JobError("target_modules is all-linear, and this base has no linear layer that LoRA could update")
    return tuple(sorted(found))


def _linears(encoder: nn.Module) -> dict[str, nn.Linear]:
    return {path: module for path, module in encoder.named_modules() if isinstance(module, nn.Linear)}


def _names(target: str, path: str) -> bool:
    return path == target or path.endswith(f".{target}")


class LoraLinear(nn.Module):
    """linear(x) + x·A·B: A is [in, r] and B [r, out] with the scaling folded in, as the graph takes them."""

    def __init__(self, linear: nn.Linear, r: int) -> None:
        super().__init__()
        self.linear = linear
        self.lora_A = nn.Parameter(torch.zeros(linear.in_features, r))
        self.lora_B = nn.Parameter(torch.zeros(r, linear.out_features))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.add(self.linear(inputs), (inputs @ self.lora_A) @ self.lora_B)


def insert_lora(encoder: nn.Module, paths: Sequence[str], r: int) -> dict[str, nn.Linear]:
    """Put layers of rank `r` at the paths; the answer is what they replace."""
    linears = {path: module for path, module in _linears(encoder).items() if path in paths}
    for path, linear in linears.items():
        encoder.set_submodule(path, LoraLinear(linear, r))
    return linears


@contextmanager
def lora_layers(encoder: nn.Module, paths: Sequence[str], r: int) -> Iterator[None]:
    """Layers of rank `r` in the encoder, which is as it was afterwards."""
    linears = insert_lora(encoder, paths, r)
    try:
        yield
    finally:
        for path, linear in linears.items():
            encoder.set_submodule(path, linear)


def check_fits(base: Base, change: LowRankChange, max_length: int) -> None:
    linears = _linears(base.encoder)
    for path, factors in change.factors.items():
        if path not in linears:
            raise JobError(f"the adapter changes {path}, which is no linear layer of this base")
        shape = (factors.b.shape[0], factors.a.shape[1])
        if shape != tuple(linears[path].weight.shape):
            raise JobError(f"the adapter's update of {path} has shape {shape}, the layer {linears[path].weight.shape}")


def fold(encoder: nn.Module, change: LowRankChange) -> nn.Module:
    """The encoder with the change added to its weights."""
    linears = _linears(encoder)
    with torch.no_grad():
        for path, factors in change.factors.items():
            linears[path].weight.add_(torch.from_numpy(factors.b) @ torch.from_numpy(factors.a))
    return encoder
