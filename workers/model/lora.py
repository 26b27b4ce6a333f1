"""Where LoRA goes in an encoder, and the LoRA layer of the served graph."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workers.runtime.errors import JobError


def target_paths(encoder: nn.Module, target_modules: Sequence[str]) -> list[str]:
    """Paths of the linear layers that `target_modules` names, by PEFT's rule: the whole path or its ending."""
    linears = [path for path, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    for target in target_modules:
        if not any(_names(target, path) for path in linears):
            endings = sorted({path.rpartition(".")[2] for path in linears})
            raise JobError(
                f"target_modules names {target}, which this base does not have; its linear layers end in {endings}"
            )
    return [path for path in linears if any(_names(target, path) for target in target_modules)]


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


def insert_lora(encoder: nn.Module, paths: Sequence[str], r: int) -> None:
    for path in paths:
        parent, _, name = path.rpartition(".")
        linear = encoder.get_submodule(path)
        if not isinstance(linear, nn.Linear):
            raise JobError(f"{path} is no linear layer of this base")
        setattr(encoder.get_submodule(parent), name, LoraLinear(linear, r))
