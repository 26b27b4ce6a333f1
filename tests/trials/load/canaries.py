"""One rollout after the other between two versions, so that observations, labels and decisions come all the time."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from uuid import UUID

from controlplane.client.client import Client
from schemas.phases import FINAL_ROLLOUT_PHASES
from tests.support.cargo import DEPLOYMENT

CANARY: Final[dict[str, Any]] = {
    "steps": [0.25, 0.5],
    "step_seconds": 5,
    "tick_seconds": 2,
    "label_wait_seconds": 1,
    "metrics": [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.3}],
}
"""The policy under which two versions of one kind replace each other: one is promoted in about a minute, and then the
other one is put on its way."""
LONGEST_SECONDS = 180.0
"""A rollout that takes longer is an error, and is aborted so that the next one has its turn."""
LOOK_SECONDS = 1.0

Connect = Callable[[], AbstractContextManager[Client]]


class Canaries(threading.Thread):
    """Goes on until it is told to stop, whatever fails meanwhile: what failed is kept and told."""

    def __init__(
        self,
        connect: Connect,
        versions: Sequence[UUID],
        *,
        look_seconds: float = LOOK_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        super().__init__(name="canaries")
        self.started = 0
        self.ended: Counter[str] = Counter()
        """By the phase that they ended in."""
        self.errors: Counter[str] = Counter()
        self._connect, self._versions = connect, versions
        self._look_seconds, self._longest_seconds = look_seconds, longest_seconds
        self._stop_asked = threading.Event()

    def __enter__(self) -> "Canaries":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                with self._connect() as client:
                    self._release(client)
            except Exception as error:  # whatever it is, the soak's verdict says it
                self.errors[f"{type(error).__name__}: {error}"] += 1
                self._stop_asked.wait(self._look_seconds)

    def _release(self, client: Client) -> None:
        """Put the version that does not serve now on its way: the last one may have been rolled back."""
        desired = client.get_deployment(DEPLOYMENT).desired
        other = next(version for version in self._versions if desired is None or version != desired.stable)
        self.started += 1  # before it is there: the rows that it makes are measured against this
        rollout = client.start_rollout(DEPLOYMENT, str(other), reason="soak: the other one")
        deadline = time.monotonic() + self._longest_seconds
        while not self._stop_asked.wait(self._look_seconds):
            seen = client.get_rollout(rollout.id)
            if seen.phase in FINAL_ROLLOUT_PHASES:
                self.ended[seen.phase] += 1
                return
            if time.monotonic() > deadline:
                self.errors[f"a rollout was {seen.phase} after {self._longest_seconds:g} s: {seen.reason}"] += 1
                client.act_on_rollout(rollout.id, "abort", "soak: it does not end")
                self.ended["Aborted"] += 1
                return
