"""What an evaluation loads that costs most and starts no thread."""

from typing import Final

LIBRARIES: Final = ("numpy", "tokenizers")
