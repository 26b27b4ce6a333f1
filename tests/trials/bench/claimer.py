"""A worker whose jobs end at once: it says when it had each, and never starts a job's process.

`python -m tests.trials.bench.claimer KIND`: a line `CORRELATIONID LEFT HAD` for every claim that got a job: when its
request left and when its answer was there, in nanoseconds by the wall clock, which is also the database's on one
machine; and `idle NOW NOW` whenever it has nothing to do. A job that was asked for by itself begins a journey of its
own name.
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
    """The worker's own loop: bell, claims until there is nothing to claim, bell."""

    def _claim(self) -> Claim | None:
        while True:
            left = time.time_ns()
            claim = super()._claim()
            had = time.time_ns()
            if claim is None:
                sys.stdout.write(f"idle {had} {had}\n")
                return None
            sys.stdout.write(f"{claim.correlationid} {left} {had}\n")
            self._api.fail(claim.job_id, Failure(attempt=claim.attempt, owner=self.owner, reason="-", retryable=False))


def main(kind: JobKind) -> None:
    settings = WorkerSettings()
    with Api(settings.api_url, settings.token_value()) as api:
        sys.stdout.write("ready 0 0\n")
        Claimer(api, open_doorbell(api, settings, [kind]), settings, [kind], "bench").run()


if __name__ == "__main__":
    main(sys.argv[1])  # type: ignore[arg-type]
