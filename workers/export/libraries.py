"""What an export loads that costs most and starts no thread."""

from typing import Final

from workers.base.libraries import ENCODER

LIBRARIES: Final = (*ENCODER, "torch.onnx", "torch.export", "onnx", "onnxscript.optimizer", "networkx")
