"""An API process says that it lives, so that no job loses its lease to a sleep or an outage of ours."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from uuid import uuid4

from controlplane.commands.spine.presence import keep_api_alive
from controlplane.domain.lease_expiry import BEATS_PER_LEASE
from controlplane.store.database import Database

logger = logging.getLogger(__name__)


class Presence:
    """The heartbeat of one API replica, for as long as it serves."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._replica = f"api/{uuid4()}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat_on())
        try:
            yield
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating

    async def _beat_on(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._beat)
            except Exception as error:  # a database that is away for a moment must not end the heartbeat
                logger.warning("this API could not say that it lives: %s", type(error).__name__)
            await asyncio.sleep(self._lease_seconds / BEATS_PER_LEASE)

    def _beat(self) -> None:
        with self._database.begin(self._replica) as uow:
            keep_api_alive(uow, self._replica, self._lease_seconds)
