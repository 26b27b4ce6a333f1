"""Audits: how easily a version's answers are broken by small changes of its input."""

from typing import Final

LIBRARIES: Final = ("numpy",)
"""What an attack loads that costs most and starts no thread; TextAttack runs in a process of its own."""
