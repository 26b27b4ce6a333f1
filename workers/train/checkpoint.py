"""A training state as one safetensors file: parameters, Adam's moments and the step. Never pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from workers.runtime.errors import JobError

_METADATA_KEY: Final = "graftwork.checkpoint.v1"
_MOMENTS: Final = ("exp_avg", "exp_avg_sq")


@dataclass
class TrainingState:
    parameters: dict[str, nn.Parameter]
    optimizer: torch.optim.AdamW
    step: int = 0
    """Optimizer steps done. The data order and the learning rate follow from it and the spec."""


def save_state(state: TrainingState, path: Path) -> None:
    tensors: dict[str, Tensor] = {}
    for name, parameter in state.parameters.items():
        tensors[f"parameter/{name}"] = parameter.detach()
        for moment in _MOMENTS:
            tensors[f"{moment}/{name}"] = state.optimizer.state[parameter][moment]
    save_file(tensors, path, metadata={_METADATA_KEY: json.dumps({"step": state.step})})


def restore_state(state: TrainingState, path: Path) -> None:
    """Bring `state` to where `path` was saved."""
    try:
        with safe_open(path, framework="pt") as file:
            state.step = int(json.loads((file.metadata() or {})[_METADATA_KEY])["step"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in sorted(file.keys())}
            for name, parameter in state.parameters.items():
                _restore(parameter, name, tensors, state)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise JobError(f"the checkpoint does not fit this job: {error}") from error


def _restore(parameter: nn.Parameter, name: str, tensors: dict[str, Tensor], state: TrainingState) -> None:
    with torch.no_grad():
        parameter.copy_(tensors[f"parameter/{name}"])
    state.optimizer.state[parameter] = {
        "step": torch.tensor(float(state.step)),
        **{moment: tensors[f"{moment}/{name}"].clone() for moment in _MOMENTS},
    }
