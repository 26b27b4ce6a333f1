"""One version of several, in the space of their factors."""

from typing import Final

LIBRARIES: Final = ("numpy", "safetensors.numpy")
"""What a merge loads that costs most and starts no thread."""
