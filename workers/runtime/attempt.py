"""One claimed attempt: its process, its heartbeat, and how its end is told."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from schemas import faults
from schemas.claims import Claim, Completion, Failure, Heartbeat, Progress, Release, Usage
from schemas.jobs import SPEC, JobResult, JobSpec
from workers.runtime.api import Api, LostLease, Refused, Unreachable
from workers.runtime.files import scratch_folder
from workers.runtime.messages import AttemptMessage, Fault, Task
from workers.runtime.news import News, clean
from workers.runtime.process import JobProcess
from workers.runtime.settings import WorkerSettings
from workers.runtime.warm import Starter

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.1
NEWS_SECONDS = 1.0
"""News travel at most so often; a checkpoint at once."""
LONGEST_RETRY_SECONDS = 10.0
PARTING_SECONDS = 10.0
"""A worker that was told to stop tries so long to tell how its job ended."""
MAX_REASON = 2000
"""Characters of a reason that a worker reports."""
LOADING = Progress(step=0, total=0, message="loading libraries")
MAX_LAST_BATCHES = 20
"""Batches of log lines and curve points that are still sent when a job has ended, before its end is told."""

Ending = Literal["ended", "lost", "cancelled", "stopping"]


@dataclass(frozen=True)
class Host:
    """The worker that runs attempts."""

    owner: str
    settings: WorkerSettings
    starter: Starter
    stop: threading.Event
    """The worker was told to stop: the job is then handed back."""


class Attempt:
    """Runs one claim to its end."""

    def __init__(self, api: Api, claim: Claim, host: Host) -> None:
        self._api, self._claim = api, claim
        self._owner, self._settings, self._starter, self._stop = host.owner, host.settings, host.starter, host.stop
        self._news = News()
        self._hurry = threading.Event()
        self._over = threading.Event()
        self._beating = threading.Lock()
        self._ending: Ending = "ended"
        self._result: JobResult | None = None
        self._usage: Usage | None = None
        self._fault: Fault | None = None
        self._unable: str | None = None

    def run(self) -> None:
        """Until the control plane has answered how it ended, or the lease is lost."""
        try:
            spec = SPEC.validate_python(self._claim.spec)
        except ValidationError as error:
            return self._release(
                f"this worker does not understand the spec: {faults.line(error, self._claim.spec, with_values=False)}"
            )
        with self._heartbeat():
            with self._workdir() as task:
                self._news.hear(LOADING)  # a minute on a busy machine, before the job itself can say a word
                started = self._starter.start(spec.kind, self._is_unwanted)
                process = JobProcess(task(spec), started, self._hear)
                logger.info(
                    "job %s (%s) attempt %d: pid %d", self._claim.job_id, spec.kind, self._claim.attempt, process.pid
                )
                self._watch(process)
                process.close()
            self._tell_last_news()
            self._tell_end(process)

    # --- the process --------------------------------------------------------------------------------------------------

    def _watch(self, process: JobProcess) -> None:
        while not process.ended():
            if self._stop.wait(LOOK_SECONDS) and self._ending == "ended":
                self._ending = "stopping"
            if self._ending != "ended":
                logger.info("job %s: ending its process, %s", self._claim.job_id, self._ending)
                process.end(self._settings.worker_grace_seconds)

    def _is_unwanted(self) -> bool:
        return self._stop.is_set() or self._ending != "ended"

    def _hear(self, said: AttemptMessage) -> None:
        for report in (said.progress, said.checkpoint, said.point, said.log):
            if report is not None:
                self._news.hear(report)
        if said.checkpoint:
            self._hurry.set()
        self._result = said.result or self._result
        self._usage = said.usage or self._usage
        self._fault = said.fault or self._fault
        self._unable = said.unable or self._unable

    @contextmanager
    def _workdir(self) -> Iterator[Callable[[JobSpec], Task]]:
        """A folder of this attempt's own, which goes when it ends."""
        claim = self._claim
        folder = self._settings.scratch / f"{claim.job_id}-{claim.attempt}"
        with scratch_folder(folder):
            yield lambda spec: Task(
                kind=spec.kind,
                spec=claim.spec,
                checkpoint=claim.checkpoint,
                workdir=folder,
                stores=self._settings.stores(),
                worker_pid=os.getpid(),
            )

    # --- the heartbeat ------------------------------------------------------------------------------------------------

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Keeps the lease until the end has been told, also while the control plane is slow to hear it."""
        thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._hurry.set()
            thread.join()

    def _beat_on(self) -> None:
        lease = self._claim.lease_seconds
        due = time.monotonic() + lease / 3
        while not self._over.is_set() and self._ending != "lost":
            self._hurry.wait(min(NEWS_SECONDS, lease / 6))
            self._hurry.clear()
            if self._over.is_set():
                return
            if time.monotonic() >= due or not self._news.is_empty:
                lease = self._beat() or lease
                due = time.monotonic() + lease / 3

    def _beat(self) -> float | None:
        """One heartbeat with what is new; answers the lease's length, None when it was not heard."""
        with self._beating:
            batch = self._news.take()
            beat = Heartbeat(
                attempt=self._claim.attempt,
                owner=self._owner,
                progress=batch.progress,
                checkpoint=batch.checkpoint,
                logs=batch.logs,
                curve=batch.curve,
            )
            try:
                answer = self._api.heartbeat(self._claim.job_id, beat)
            except LostLease:
                self._ending = "lost"
            except Unreachable:
                self._news.put_back(batch)
            except Refused as error:  # its news are dropped: the next beat is to keep the lease
                logger.warning("job %s: a heartbeat was refused: %s", self._claim.job_id, error)
            else:
                if answer.cancel_requested and self._ending == "ended":
                    self._ending = "cancelled"
                return answer.lease_seconds
        return None

    # --- the end ------------------------------------------------------------------------------------------------------

    def _tell_last_news(self) -> None:
        """Before the end, so that a log is whole when its job is finished; not at any price."""
        for _ in range(MAX_LAST_BATCHES):
            if self._ending == "lost" or self._news.is_empty or self._beat() is None:
                return

    def _tell_end(self, process: JobProcess) -> None:
        if self._ending == "lost":
            logger.warning("job %s: attempt %d lost its lease", self._claim.job_id, self._claim.attempt)
        elif self._result is not None:
            self._complete(self._result)
        elif self._ending == "cancelled":
            self._fail(Fault(reason="cancelled on request", retryable=False))
        elif self._ending == "stopping":
            self._release("its worker was told to stop")
        elif self._unable is not None:
            self._release(self._unable)
        else:
            self._fail(self._fault or Fault(reason=process.how_it_ended(), retryable=True))

    def _complete(self, result: JobResult) -> None:
        completion = Completion(attempt=self._claim.attempt, owner=self._owner, result=result, usage=self._usage)
        try:
            self._until_answered(lambda: self._api.complete(self._claim.job_id, completion))
        except Refused as error:
            self._fail(Fault(reason=f"the result was refused: {error.detail}", retryable=False))

    def _fail(self, fault: Fault) -> None:
        failure = Failure(
            attempt=self._claim.attempt,
            owner=self._owner,
            reason=clean(fault.reason)[:MAX_REASON] or "no reason was given",
            retryable=fault.retryable,
        )
        self._until_answered(lambda: self._api.fail(self._claim.job_id, failure))

    def _release(self, reason: str) -> None:
        release = Release(attempt=self._claim.attempt, owner=self._owner, reason=clean(reason)[:MAX_REASON])
        self._until_answered(lambda: self._api.release(self._claim.job_id, release))

    def _until_answered(self, tell: Callable[[], None]) -> None:
        """A lost answer may mean a done deed, and a repeat is harmless: so ask until somebody answers."""
        delay, give_up = 0.2, None
        while True:
            try:
                return tell()
            except LostLease as error:
                logger.warning("job %s: %s", self._claim.job_id, error.detail)
                return None
            except Unreachable as error:
                logger.warning("job %s: its end is not told yet: %s", self._claim.job_id, error)
            if self._stop.is_set():
                give_up = give_up or time.monotonic() + PARTING_SECONDS
                if time.monotonic() >= give_up:
                    return None
            self._over.wait(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS if give_up is None else 1.0)
