"""How an idle worker hears that a job was requested, in either mode: a bell to hurry by, not a queue to trust."""

import time
from collections.abc import Collection
from typing import Protocol

from pydantic import BaseModel

from schemas.cloudevent import FeedEvent
from schemas.jobs import JobKind
from workers.runtime.api import Api, ApiError

LONGEST_POLL_SECONDS = 20.0
PAUSE_SECONDS = 1.0


class Doorbell(Protocol):
    def wait(self, timeout: float) -> bool:
        """True when a job of our kinds was requested; False when the time is up, or nobody can know."""


class _FeedPage(BaseModel):
    items: list[FeedEvent]
    last: int


class HttpDoorbell:
    """The event feed, by long poll. A ring that is missed while the API is away is made good by the slow poll."""

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
        params = {"wait": 0.0} if self._after is None else {"after": self._after, "wait": round(seconds, 3)}
        page = self._api.get("/v1/doorbell", params, _FeedPage, seconds)
        self._after = page.last
        return any(event.data.get("kind") in self._kinds for event in page.items)
