"""What served before, told by periods that each know what they were laid on: an oracle for rollbacks."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Period:
    """A version's time as the stable one, and the period that it was released over."""

    version: UUID
    below: "Period | None" = None

    def release(self, version: UUID) -> "Period":
        return Period(version, self)

    def roll_back(self, target: UUID | None = None) -> "Period":
        """To the period below; with a target to its newest period below, else over this one."""
        below = self.below
        while target is not None and below is not None and below.version != target:
            below = below.below
        if below is not None:
            return below
        assert target is not None
        return Period(target, self)
