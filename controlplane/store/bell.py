"""Other processes' commits ring here: PostgreSQL's NOTIFY, a bell to hurry by and not a queue to trust."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from controlplane.store.database import Database
from controlplane.store.unit_of_work import CHANNEL

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 1.0
"""Between two tries to reach a database that is away; whoever waits for a commit also looks by himself meanwhile."""


@contextmanager
def hearing(database: Database) -> Iterator[None]:
    """Call `database.on_commit` also when another process announced something. SQLite has no bell: nothing happens."""
    if database.is_sqlite:
        yield
        return
    stop = threading.Event()
    ear = threading.Thread(target=_listen, args=(database, stop), name="bell", daemon=True)
    ear.start()
    try:
        yield
    finally:
        stop.set()
        ear.join()


def _listen(database: Database, stop: threading.Event) -> None:
    import psycopg  # here: a site on SQLite does without it

    url = database.url.replace("postgresql+psycopg://", "postgresql://", 1)
    while not stop.is_set():
        try:
            with psycopg.connect(
                url, autocommit=True, connect_timeout=10, keepalives_idle=10, keepalives_interval=5, keepalives_count=3
            ) as connection:
                connection.execute(f"LISTEN {CHANNEL}".encode())
                database.ring()  # what was committed before was not heard
                while not stop.is_set():
                    if list(connection.notifies(timeout=STOP_SECONDS, stop_after=1)):
                        database.ring()
        except psycopg.Error as error:
            log.debug("the bell is away: %s", error)
            stop.wait(PAUSE_SECONDS)
