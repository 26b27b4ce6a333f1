"""What has ended in a unit of work: whatever waits for it goes on in the same transaction."""

from dataclasses import dataclass

from controlplane.store.serving_tables import RolloutRow
from controlplane.store.tables import JobRow


@dataclass(frozen=True)
class JobEnded:
    """A job has succeeded, failed for good or been cancelled."""

    job: JobRow


@dataclass(frozen=True)
class RolloutEnded:
    """A rollout is promoted, rolled back, aborted or superseded."""

    rollout: RolloutRow


Ended = JobEnded | RolloutEnded
