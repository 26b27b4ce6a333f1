"""From sources to a dataset version: formats, shapes, operators, rejects."""

from typing import Final

LIBRARIES: Final = ("numpy",)
"""What a curation loads that costs most and starts no thread."""
