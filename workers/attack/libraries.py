"""What an attack loads that costs most and starts no thread; TextAttack runs in a process of its own."""

from typing import Final

LIBRARIES: Final = ("numpy",)
