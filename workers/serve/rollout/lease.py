"""The canary's weight is leased: what a gateway may apply, and until when."""

from collections.abc import Container
from dataclasses import dataclass
from uuid import UUID

from schemas.serving import Generation


@dataclass(frozen=True)
class Lease:
    """Granted to one rollout by the answer to an observation; monotonic time, counted from when that was sent."""

    rollout: UUID | None = None
    until: float = 0.0

    def covers(self, rollout: UUID | None, moment: float) -> bool:
        return rollout is not None and rollout == self.rollout and moment <= self.until


def applied_weight(generation: Generation, *, newest: int, loaded: Container[UUID], leased: bool) -> float:
    """The canary's share under this generation now: all of it or none.

    A generation that a newer one replaces (its stable still loads here) gives its canary nothing: the newer one
    may be the rollback of that very canary.
    """
    canary = generation.canary
    if canary is None or generation.generation != newest or not leased or canary.id not in loaded:
        return 0.0
    return generation.weight


def counts(generation: Generation, applied: float) -> bool:
    """Whether a unit may be folded: it is in a rollout, and the weight applied is the generation's."""
    return generation.rollout_id is not None and 0.0 < generation.weight == applied
