"""Live traffic of the demo: rows asked at the gateway at a fixed rate, and feedback on each answer."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from controlplane.cli.demo.users import User

PATIENCE_SECONDS = 30.0
"""A user who is not answered for so long gives up."""


@dataclass
class Tally:
    """What the users saw, by variant."""

    sent: int = 0
    failed: int = 0
    late: int = 0
    served: dict[str, int] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=dict)


class Traffic:
    """Open loop: requests leave when they are due, whether or not earlier ones have been answered."""

    def __init__(
        self,
        rows: list[tuple[str, str]],
        user: User,
        gateway: str,
        api: str,
        token: str,
        per_second: float,
        at_once: int,
    ) -> None:
        self.tally = Tally()
        self._rows = rows
        self._gateway = httpx.Client(base_url=gateway, timeout=PATIENCE_SECONDS)
        self._api = httpx.Client(base_url=api, timeout=PATIENCE_SECONDS, headers={"Authorization": f"Bearer {token}"})
        self._user = user
        self._period = 1 / per_second
        self._random = random.Random(20)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._at_once = at_once
        self._free = threading.Semaphore(at_once)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._gateway.close()
        self._api.close()

    def _run(self) -> None:
        with ThreadPoolExecutor(self._at_once) as pool:
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                # What cannot leave when it is due is told and left out: a queue would be asked for minutes afterwards.
                if time.monotonic() - due > 1 or not self._free.acquire(blocking=False):
                    self.tally.late += 1
                else:
                    pool.submit(self._one, self._random.choice(self._rows))
                due += self._period

    def _one(self, row: tuple[str, str]) -> None:
        try:
            self._ask(*row)
        finally:
            self._free.release()

    def _ask(self, question: str, right: str) -> None:
        try:
            heard = self._user.ask(self._gateway, question)
            verdict = self._user.judge(heard.said, right)
            feedback = {"prediction_id": heard.prediction_id, "label": verdict.label}
            self._api.post("/v1/feedback", json=feedback).raise_for_status()
        except httpx.HTTPError:
            with self._lock:
                self.tally.sent += 1
                self.tally.failed += 1
            return
        with self._lock:
            self.tally.sent += 1
            self.tally.served[heard.variant] = self.tally.served.get(heard.variant, 0) + 1
            self.tally.right[heard.variant] = self.tally.right.get(heard.variant, 0) + verdict.right
