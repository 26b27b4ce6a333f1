"""What a verdict is made of: one thing looked at, and the work that it was looked at under."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    subject: str
    measure: str
    ok: bool
    text: str


@dataclass(frozen=True)
class Work:
    """What the run asked of the system, by the harness's own counts: what may stay behind is measured against it."""

    seconds: float
    answered: Mapping[str, int]
    """Requests answered well, by target."""
    rollouts: int
    """Started."""

    @property
    def predictions(self) -> int:
        return self.answered.get("predict", 0)

    @property
    def to_api(self) -> int:
        """What gateways and workers tell the API beside that is not counted."""
        return sum(self.answered.values()) - self.predictions

    @property
    def jobs(self) -> int:
        """Asked for; those of `submit` too, of which a worker may have done some before they were cancelled."""
        return self.answered.get("work", 0) + self.answered.get("submit", 0)
