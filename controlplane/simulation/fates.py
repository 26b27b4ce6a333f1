"""How requests of one arm end: in one second, and how likely."""

from typing import NamedTuple


class ArmSecond(NamedTuple):
    """One arm's units of one second by their fate; a hanging one has not ended yet."""

    unlabelled: int = 0
    right: int = 0
    wrong: int = 0
    failed: int = 0
    hanging: int = 0
    abandoned: int = 0

    @property
    def units(self) -> int:
        return sum(self)

    @property
    def errors(self) -> int:
        return self.failed + self.hanging


class Fates(NamedTuple):
    """How likely a request of one arm ends in each way."""

    hanging: float
    abandoned: float
    error: float
    wrong: float
    right_labelled: float
    wrong_labelled: float
