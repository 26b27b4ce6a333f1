"""Says, now and then, how far a consumer has read what others write."""

import time
from typing import Final

from controlplane.commands.spine.partitions import note_standings
from controlplane.store.database import Database
from controlplane.transport.port import Source

REPORT_SECONDS: Final = 5.0
"""How often a consumer notes how far it is, in seconds, for `/metrics` and `/readyz`."""


class Progress:
    """Notes from time to time how far one consumer has read each of its partitions."""

    def __init__(self, database: Database, consumer: str, source: Source) -> None:
        self._database = database
        self._consumer = consumer
        self._source = source
        self._due = 0.0

    def report(self) -> None:
        """If it is time. Raises Unavailable and Busy, which pass."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + REPORT_SECONDS
        if standings := self._source.standings():
            with self._database.begin(self._consumer) as uow:
                note_standings(uow, self._consumer, standings)
