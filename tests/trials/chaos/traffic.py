"""Users at every gateway for as long as a round lasts; some say later what the right answer was."""

import random
import threading
import time
from types import TracebackType

import httpx

from tests.support.builders.rows import planted_rows
from tests.trials.chaos.caller import Caller, GaveUp
from tests.trials.chaos.invariants.expected import Request
from tests.trials.chaos.ledger import Ledger

PER_SECOND = 12.0
TOLD = 0.2
"""Share of the answers whose true label comes back."""


class Traffic:
    """One user a gateway. A gateway that is killed answers nobody; one that lives answers, whoever else is away."""

    def __init__(self, gateways: dict[str, str], caller: Caller, ledger: Ledger, dice: random.Random) -> None:
        self._caller, self._ledger = caller, ledger
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._untold: list[tuple[str, str]] = []
        self._threads = [threading.Thread(target=self._tell, daemon=True)]
        for name, url in gateways.items():
            arguments = (name, url, random.Random(dice.getrandbits(32)))
            self._threads.append(threading.Thread(target=self._use, args=arguments, daemon=True))
        self._unanswered = set(gateways)

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for name in sorted(self._unanswered):
            self._ledger.note("oddities", f"no user of {name} had an answer in the whole round")

    def _use(self, name: str, url: str, dice: random.Random) -> None:
        rows = planted_rows(200, seed=dice.getrandbits(16))
        with httpx.Client(base_url=url, timeout=8) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                self._ask(client, name, dice, *dice.choice(rows))
                self._stop.wait(max(0.01, began + 1 / PER_SECOND - time.monotonic()))

    def _ask(self, client: httpx.Client, name: str, dice: random.Random, text: str, label: str) -> None:
        asked = time.time()
        try:
            answer = client.post("/v1/predict", json={"text": text})
        except httpx.TransportError as error:
            self._ledger.note("predictions", type(error).__name__)
            self._ledger.note("requests", Request(name, asked, time.time(), None))
            return
        variant, rollout = answer.headers.get("x-variant"), answer.headers.get("x-rollout-id")
        self._ledger.note("predictions", variant or str(answer.status_code))
        self._ledger.note("requests", Request(name, asked, time.time(), answer.status_code, variant, rollout))
        if not answer.is_success:
            return
        try:
            (found,) = answer.json()["predictions"]
            prediction_id = str(found["prediction_id"])
        except (ValueError, KeyError, TypeError) as error:
            self._ledger.note("oddities", f"{name} answered 200 without a prediction: {error!r}: {answer.text[:300]}")
            return
        self._unanswered.discard(name)
        if dice.random() < TOLD:
            with self._lock:
                self._untold.append((prediction_id, label))

    def _tell(self) -> None:
        """One after the other, until the round ends: who is late then has not been promised anything."""
        while not self._stop.wait(0.1):
            with self._lock:
                batch, self._untold = self._untold, []
            for prediction_id, label in batch:
                if self._stop.is_set():
                    return
                self._tell_one(prediction_id, label)

    def _tell_one(self, prediction_id: str, label: str) -> None:
        try:
            answer = self._caller.post("/v1/feedback", {"prediction_id": prediction_id, "label": label})
        except GaveUp as error:
            self._ledger.note("oddities", str(error))
            return
        if answer.good:
            self._ledger.note_feedback(prediction_id, counted=answer.body["counted"])
        else:
            self._ledger.note("oddities", f"feedback was answered {answer.status}: {answer.text[:300]}")
