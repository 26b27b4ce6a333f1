"""When a silent worker's lease may be called expired, and how long an API must have lived before."""

from datetime import datetime, timedelta

PRESENCE_FRACTION = 3
"""An API replica that was silent for a third of a lease is not live: shorter than what any worker's lease has left."""
BEATS_PER_LEASE = 10
"""How often an API replica says that it lives."""


def presence_seconds(lease_seconds: float) -> float:
    """How long one sign of life of an API replica counts."""
    return lease_seconds / PRESENCE_FRACTION


def live_since(now: datetime, lease_seconds: float) -> datetime:
    """Leases may expire only if an API replica that lives now has lived since before this moment without a gap.

    After a sleep, an outage or an upgrade every worker so gets one whole lease to report before its attempt is lost.
    """
    return now - timedelta(seconds=lease_seconds)
