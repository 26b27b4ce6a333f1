"""Trainings: the loop, checkpoints, and the private one with its ledger."""

from typing import Final

from workers.base.libraries import ENCODER

LIBRARIES: Final = (*ENCODER, "peft", "opacus.accountants.utils")
"""What a training loads that costs most and starts no thread."""
