"""What a training loads that costs most and starts no thread."""

from typing import Final

from workers.base.libraries import ENCODER

LIBRARIES: Final = (*ENCODER, "peft", "opacus.accountants.utils")
