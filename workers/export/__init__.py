"""From an adapter to what a gateway serves: ONNX graphs, converted adapters, and their parity with PyTorch."""

from typing import Final

from workers.base.libraries import ENCODER

LIBRARIES: Final = (*ENCODER, "torch.onnx", "torch.export", "onnx", "onnxscript.optimizer", "networkx")
"""What an export loads that costs most and starts no thread."""
