"""A version's answers on held-out rows, measured with intervals and beside another version's."""

from typing import Final

LIBRARIES: Final = ("numpy", "tokenizers")
"""What an evaluation loads that costs most and starts no thread."""
