"""What a merge loads that costs most and starts no thread."""

from typing import Final

LIBRARIES: Final = ("numpy", "safetensors.numpy")
