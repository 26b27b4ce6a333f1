"""A worker whose jobs end at once: it says when it had each, and never starts a job's process.

`python -m tests.bench.claimer KIND`: a line `JOB_ID NANOSECONDS TOOK` (by the monotonic clock) for every claim.
"""

import sys
import time

from schemas.claims import Claim, Failure
from schemas.jobs import JobKind
from workers.runtime.api import Api
from workers.runtime.doorbell import open_doorbell
from workers.runtime.settings import WorkerSettings
from workers.runtime.worker import Worker


class Claimer(Worker):
    """The worker's own loop: bell, claim, bell."""

    def _claim(self) -> Claim | None:
        began = time.monotonic_ns()
        claim = super()._claim()
        now = time.monotonic_ns()
        if claim is not None:
            sys.stdout.write(f"{claim.job_id} {now} {now - began}\n")
            self._api.fail(claim.job_id, Failure(attempt=claim.attempt, owner=self.owner, reason="-", retryable=False))
        return None


def main(kind: JobKind) -> None:
    settings = WorkerSettings()
    with Api(settings.api_url, settings.token_value()) as api:
        sys.stdout.write("ready 0 0\n")
        Claimer(api, open_doorbell(api, settings, [kind]), settings, [kind], "bench").run()


if __name__ == "__main__":
    main(sys.argv[1])  # type: ignore[arg-type]
