"""Our own facts as a source: the event table by a cursor, read by the one process that holds the lease."""

import logging
import threading
import time
from collections.abc import Callable, Collection

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from controlplane.commands.spine.cursors import cursor_of, move_cursor
from controlplane.commands.spine.dead_letters import EVENT_LOG
from controlplane.commands.spine.singleton import Singleton
from controlplane.errors import Busy, LostLease
from controlplane.store.database import Database
from controlplane.transport.event_log import read_events
from controlplane.transport.port import Delivery, Standing
from schemas.kafka_binding import to_message

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
BATCH = 200

Wanted = Callable[[Session], Collection[str]]
"""The types of facts that somebody listens to now."""


class FactSource:
    """Delivers the facts of some types in the one order. The others are passed over: no inbox row, no transaction."""

    def __init__(self, database: Database, singleton: Singleton, wanted: Wanted) -> None:
        self._database = database
        self._singleton = singleton
        self._wanted = wanted
        self._committed: int | None = None
        self._done = 0
        self._not_before = 0.0
        self._changed = threading.Event()
        database.on_commit.append(self._changed.set)

    def poll(self, seconds: float) -> list[Delivery]:
        deadline = time.monotonic() + seconds
        while True:
            self._changed.clear()
            found = self._look()
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            self._changed.wait(min(left, LOOK_SECONDS))

    def done(self, delivery: Delivery) -> None:
        self._done = delivery.offset

    def retry(self, delivery: Delivery, seconds: float) -> None:
        self._done = delivery.offset - 1
        self._not_before = time.monotonic() + seconds

    def commit(self) -> None:
        fence = self._singleton.fence
        if fence is None or self._committed is None or self._done <= self._committed:
            return
        try:
            with self._singleton.begin(fence) as uow:
                move_cursor(uow, self._singleton.name, self._done, fence)
        except LostLease:
            self._forget_place()
            raise
        self._committed = self._done

    def standings(self) -> list[Standing]:
        return []  # how far it is, its cursor says

    def close(self) -> None:
        self._database.on_commit.remove(self._changed.set)
        try:
            self._singleton.release()
        except (Busy, DBAPIError) as error:
            log.warning("the lease %r was not given back, it expires by itself: %s", self._singleton.name, error)

    def _look(self) -> list[Delivery]:
        if self._singleton.hold() is None:
            self._committed = None  # whoever holds it moves the cursor now
            return []
        if time.monotonic() < self._not_before:
            return []
        with self._database.read() as session:
            if self._committed is None:
                self._committed = self._done = cursor_of(session, self._singleton.name)
            events = read_events(session, self._done, limit=BATCH, check_retention=False)
            # After the facts: whoever began to listen before a fact was committed is seen.
            types = self._wanted(session) if events else ()
        wanted = [e for e in events if e.type in types]
        if events and not wanted:
            self._done = events[-1].seq
            self.commit()
        return [Delivery(EVENT_LOG, 0, e.seq, to_message(e)) for e in wanted]

    def _forget_place(self) -> None:
        self._committed = None
        self._singleton.lose()
