"""Where a trained adapter (LoRA and others) is converted to what the gateway serves.

That is a file of ONNX Runtime's, which holds what the version gives to the inputs of its base graph.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort

from workers.adapters.files import Adapter
from workers.base.arrays import Floats
from workers.graph.decoder.form import LORA_A, LORA_B, DecoderForm, Target

ADAPTER_MEDIA_TYPE: Final = "application/vnd.onnxruntime.adapter"


def encoder_inputs(adapter: Adapter) -> dict[str, Floats]:
    """The change of the base, in whichever form it was trained, and the head."""
    inputs = adapter.change.graph_inputs() | {
        "head.weight": adapter.linear_head.weight.T,
        "head.bias": adapter.linear_head.bias,
    }
    return {name: np.ascontiguousarray(inputs[name], dtype=np.float32) for name in sorted(inputs)}


def decoder_inputs(adapter: Adapter, form: DecoderForm) -> dict[str, Floats]:
    """A version's rows of the decoder graph's tables, but for those of targets that it leaves alone."""
    found: dict[str, Floats] = {}
    for target in form.targets:
        found |= _packed(target, adapter)
    return found


def write_onnx_adapter(inputs: Mapping[str, Floats], path: Path) -> None:
    # OrtValues alias the arrays' memory: both must live until the file is written, else it holds garbage.
    values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in inputs.items()}
    adapter = ort.AdapterFormat()
    adapter.set_adapter_version(1)
    adapter.set_model_version(1)
    adapter.set_parameters(values)
    adapter.export_adapter(str(path))
    del values


def _packed(target: Target, adapter: Adapter) -> dict[str, Floats]:
    """Layers that are computed at once have their factors side by side: A of all, and B block by block."""
    factors = adapter.low_rank.factors
    rank = sum(factors[path].a.shape[0] for path, _ in target.parts if path in factors)
    if not rank:
        return {}
    a = np.zeros((target.inputs, rank), np.float32)
    b = np.zeros((rank, target.outputs), np.float32)
    row = column = 0
    for path, width in target.parts:
        if path in factors:
            r = factors[path].a.shape[0]
            a[:, row : row + r] = factors[path].a.T
            b[row : row + r, column : column + width] = factors[path].b.T
            row += r
        column += width
    return {f"{target.name}.{LORA_A}": a, f"{target.name}.{LORA_B}": b}
