"""How an idle worker hears that a job was requested: a bell to hurry by, not a queue to trust."""

import time
from collections.abc import Collection
from typing import Protocol

from pydantic import BaseModel

from schemas.cloudevent import FeedEvent
from schemas.jobs import JobKind
from workers.runtime.api import Api, ApiError
from workers.runtime.settings import WorkerSettings

LONGEST_POLL_SECONDS = 20.0
PAUSE_SECONDS = 1.0


class Doorbell(Protocol):
    def wait(self, timeout: float) -> bool:
        """True when a job of our kinds was requested; False when the time is up, or nobody can know."""


def open_doorbell(api: Api, settings: WorkerSettings, kinds: Collection[JobKind]) -> Doorbell:
    """On Kafka where there is one, else on the event feed."""
    if not settings.kafka_bootstrap_servers:
        return HttpDoorbell(api, kinds)
    from workers.runtime.kafka_doorbell import KafkaDoorbell  # here: its client takes a quarter of a second to load

    return KafkaDoorbell(settings, kinds)


class _FeedPage(BaseModel):
    items: list[FeedEvent]
    last: int


class HttpDoorbell:
    """The event feed, by long poll."""

    def __init__(self, api: Api, kinds: Collection[JobKind]) -> None:
        self._api = api
        self._kinds = frozenset(kinds)
        self._after: int | None = None

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._listen(min(left, LONGEST_POLL_SECONDS)):
                    return True
            except ApiError:  # away, or the cursor was pruned: begin again at the end of the log
                self._after = None
                time.sleep(min(PAUSE_SECONDS, max(left, 0.0)))
        return False

    def _listen(self, seconds: float) -> bool:
        begins = self._after is None
        params = {"wait": 0.0} if begins else {"after": self._after, "wait": round(seconds, 3)}
        page = self._api.get("/v1/doorbell", params, _FeedPage, seconds)
        self._after = page.last
        # at the end of the log: what was requested before was not heard, so ask once
        return begins or any(event.data.get("kind") in self._kinds for event in page.items)
