"""What a training loads that costs most and starts no thread."""

from typing import Final

from workers.model.libraries import ENCODER

LIBRARIES: Final = (*ENCODER, "peft", "opacus.accountants.utils")
