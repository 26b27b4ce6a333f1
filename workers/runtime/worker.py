"""The loop of one worker: hear the bell, claim, run, tell."""

import logging
import threading
from collections.abc import Sequence
from uuid import uuid4

from schemas.claims import Claim, ClaimRequest
from schemas.jobs import JobKind
from workers.runtime.api import Api, Unreachable
from workers.runtime.attempt import Attempt, Host
from workers.runtime.doorbell import Doorbell
from workers.runtime.files import sweep_scratch
from workers.runtime.settings import WorkerSettings
from workers.runtime.warm import Starter

logger = logging.getLogger(__name__)
LISTEN_SECONDS = 20.0
RETRY_SECONDS = 1.0


class Worker:
    """One job at a time. Its owner name is unique to this life: a restarted worker is another owner."""

    def __init__(
        self, api: Api, doorbell: Doorbell, settings: WorkerSettings, kinds: Sequence[JobKind], name: str
    ) -> None:
        self._api, self._doorbell, self._settings, self._kinds = api, doorbell, settings, tuple(kinds)
        self.owner = f"{name}-{uuid4().hex[:8]}"
        self._stop = threading.Event()
        self._rung = threading.Event()

    def run(self) -> None:
        """Until told to stop. Raises Refused when the control plane does not take this worker's token."""
        sweep_scratch(self._settings.scratch)
        threading.Thread(target=self._listen, name="doorbell", daemon=True).start()
        starter = Starter(self._settings.worker_warm_seconds)
        host = Host(self.owner, self._settings, starter, self._stop)
        logger.info("worker %s does %s", self.owner, ", ".join(self._kinds))
        try:
            while not self._stop.is_set():
                self._rung.clear()  # before the question: a ring after it must not be missed
                if claim := self._claim():
                    Attempt(self._api, claim, host).run()
                else:
                    self._rung.wait(self._settings.worker_poll_seconds)
        finally:
            self._stop.set()
            starter.close()

    def stop(self) -> None:
        """Claim no more; a running job is handed back."""
        self._stop.set()
        self._rung.set()

    def _claim(self) -> Claim | None:
        """The same question until it is answered: a lost answer may have been a job."""
        request = ClaimRequest(kinds=self._kinds, claim_id=uuid4(), owner=self.owner)
        while True:
            try:
                return self._api.claim(request)
            except Unreachable as error:
                logger.warning("cannot claim: %s", error)
                if self._stop.wait(RETRY_SECONDS):
                    return None

    def _listen(self) -> None:
        while not self._stop.is_set():
            if self._doorbell.wait(LISTEN_SECONDS):
                self._rung.set()
