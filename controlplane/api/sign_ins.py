"""Slows down whoever guesses tokens: unknown ones are counted, valid ones always pass."""

import threading
import time
from collections import deque

from controlplane.errors import TooManyFailures

WINDOW_SECONDS = 60


class FailedSignIns:
    """The unknown tokens of the last minute. Requests come on many threads."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._at: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> None:
        """One more. Raises TooManyFailures when there are too many already."""
        now = time.monotonic()
        with self._lock:
            while self._at and self._at[0] < now - WINDOW_SECONDS:
                self._at.popleft()
            if len(self._at) >= self._per_minute:
                raise TooManyFailures("too many unknown tokens in the last minute; wait and try again")
            self._at.append(now)
