"""Users at the gateways: rows asked at a steady rate, and feedback on each answer."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import httpx

from controlplane.cli.demo.users import User

FEEDBACK_SECONDS = 30.0
"""A user who cannot reach the API tries again for so long."""
TELLINGS = 10
"""Labels of one user under way at most: one who is behind with them asks less often, so that they stay fresh."""
MOST_SECONDS_BETWEEN_QUESTIONS = 3.0
"""Then a user asks on, and nobody hears the label of that answer."""


class Users:
    """Each gateway has one user, who asks again when answered, at most so often a second.

    A control plane that is away keeps nobody from asking; one that is slow does: labels that queue here would all come
    too late to count, and a canary that waits for labels would never end.
    """

    def __init__(
        self,
        gateways: Sequence[str],
        api: str,
        token: str,
        rows: Sequence[tuple[str, str]],
        per_second: float,
        user: User,
    ) -> None:
        self.served: Counter[str] = Counter()
        """Answers by variant."""
        self.failures: list[str] = []
        self._api = httpx.Client(base_url=api, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        self._rows, self._user = rows, user
        self._period = len(gateways) / per_second
        self._stop = threading.Event()
        self._tellers = ThreadPoolExecutor(2 * len(gateways))
        self._room = threading.Semaphore(TELLINGS * len(gateways))
        self._threads = [threading.Thread(target=self._use, args=(n, url)) for n, url in enumerate(gateways)]

    def __enter__(self) -> "Users":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._tellers.shutdown()
        self._api.close()

    def _use(self, number: int, gateway: str) -> None:
        dice = random.Random(number)
        with httpx.Client(base_url=gateway, timeout=10) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                self._ask(client, *dice.choice(self._rows))
                self._stop.wait(max(0.0, began + self._period - time.monotonic()))

    def _ask(self, client: httpx.Client, question: str, right: str) -> None:
        try:
            heard = self._user.ask(client, question)
        except httpx.HTTPError as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            return
        self.served[heard.variant] += 1
        if self._room.acquire(timeout=MOST_SECONDS_BETWEEN_QUESTIONS):
            label = self._user.judge(heard.said, right).label
            self._tellers.submit(self._tell_and_leave, heard.prediction_id, label)

    def _tell_and_leave(self, prediction_id: str, label: str) -> None:
        try:
            self._tell(prediction_id, label)
        finally:
            self._room.release()

    def _tell(self, prediction_id: str, label: str) -> None:
        deadline = time.monotonic() + FEEDBACK_SECONDS
        while not self._stop.is_set():
            try:
                told = self._api.post("/v1/feedback", json={"prediction_id": prediction_id, "label": label})
                if told.is_client_error:  # another try would be refused as well
                    self.failures.append(f"feedback: {told.status_code}: {told.text}")
                    return
                told.raise_for_status()
                return
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    self.failures.append(f"feedback: {type(error).__name__}: {error}")
                    return
                self._stop.wait(0.3)
