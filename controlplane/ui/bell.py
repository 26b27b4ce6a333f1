"""Tells one session's live pages of facts that concern them: one long poll for all its tabs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from controlplane.client import ApiError, Client, Unreachable
from schemas.cloudevent import FeedEvent

LONG_POLL_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 2.0
Names = frozenset[str] | None
"""What a fact has to carry to concern a page; None: any does."""


class Bell:
    """Rung by the event feed. It listens while somebody waits."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: dict[asyncio.Event, Names] = {}
        self._listener: threading.Thread | None = None
        self.last = 0
        """The seq of the newest fact that was heard of."""

    @contextlib.contextmanager
    def heard_by(self, event: asyncio.Event) -> Iterator[None]:
        self._waiting[event] = None
        if self._listener is None or not self._listener.is_alive():
            # a daemon: nobody waits for the end of its poll when the process ends
            self._listener = threading.Thread(target=self._listen, args=(asyncio.get_running_loop(),), daemon=True)
            self._listener.start()
        try:
            yield
        finally:
            del self._waiting[event]

    def rings_for(self, event: asyncio.Event, names: Names) -> None:
        self._waiting[event] = names

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        after: int | None = None
        while self._waiting and not loop.is_closed():
            try:
                page = self._client.read_events(after, wait=0.0 if after is None else LONG_POLL_SECONDS)
            except (ApiError, Unreachable):
                after = None  # pruned, or another log: what pages show is asked for anew anyway
                time.sleep(RETRY_SECONDS)
                continue
            if page.items and after is not None:
                told = frozenset(words(page.items))
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(self._ring, told)
            after = self.last = page.last

    def _ring(self, told: frozenset[str]) -> None:
        for event, names in self._waiting.items():
            if names is None or not names.isdisjoint(told):
                event.set()


def words(facts: Iterable[FeedEvent]) -> Iterator[str]:
    """Every name and id that facts carry: `model/sentiment/3` is also `sentiment` and `sentiment/3`."""
    for fact in facts:
        yield from _strings(fact.subject)
        yield from _strings(fact.correlationid)
        yield from _strings(fact.data)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        parts = value.split("/")
        yield from ("/".join(parts[start:]) for start in range(len(parts)))
        yield from parts
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
