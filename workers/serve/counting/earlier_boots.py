"""A gateway tells what remains of its earlier boots, which were killed before they could."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from schemas.serving import LostSecond, LostUnits
from workers.serve.control import CONFLICT, NOT_FOUND, RETRY_SECONDS, ControlPlane, Refused, Unreachable
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.remains import Remains, read_remains
from workers.serve.files import GatewayFiles
from workers.serve.threads import in_thread

logger = logging.getLogger(__name__)


class EarlierBoots:
    def __init__(self, boot: UUID, control: ControlPlane, files: GatewayFiles, metrics: Metrics) -> None:
        self._boot, self._control, self._files, self._metrics = boot, control, files, metrics

    async def tell(self) -> None:
        """Each one's journal, until the control plane has taken it or does not know that boot; then the file goes.

        What it refuses otherwise, and a file that cannot be read, stays there for a person.
        """
        for path in self._files.earlier_journals(self._boot):
            try:
                remains = await in_thread(partial(read_remains, path), name="remains")
            except OSError as error:
                logger.error("journal %s cannot be read: %s", path, error)
                continue
            if remains is not None and await self._tell(remains):
                path.rename(path.with_suffix(".refused"))
            else:
                path.unlink(missing_ok=True)
            path.with_suffix(".compacting").unlink(missing_ok=True)

    async def _tell(self, remains: Remains) -> bool:
        """Whether a second of it was refused, other than as late."""
        try:
            return await self._tell_seconds(remains)
        except Refused as error:
            # that boot never reached the control plane, so it never held a lease
            logger.error("what remains of boot %s is refused: %s", remains.boot, error)
            return False

    async def _tell_seconds(self, remains: Remains) -> bool:
        """Raises Refused where nobody knows that boot."""
        outcomes = [await self._tell_second(remains.boot, second) for second in remains.in_order()]
        await _reach(lambda: self._control.report_lost(LostUnits(boot=remains.boot, seconds=())))
        if any(second.unfinished for second in remains.lost):
            logger.warning("boot %s was lost with units that never ended: reported as errors", remains.boot)
        return any(outcomes)

    async def _tell_second(self, boot: UUID, second: str | LostSecond) -> bool:
        try:
            if isinstance(second, str):
                await _reach(lambda: self._control.observe(second))
            else:
                part = LostUnits(boot=boot, seconds=(second,), more=True)
                await _reach(lambda: self._control.report_lost(part))
        except Refused as error:
            if error.status == NOT_FOUND:
                raise
            self._metrics.lost_seconds.inc()
            logger.warning("a second of boot %s is lost: %s", boot, error)
            return error.status != CONFLICT
        return False


async def _reach(send: Callable[[], Awaitable[object]]) -> None:
    """Until it is accepted. Raises Refused."""
    while True:
        try:
            await send()
        except Unreachable:
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
