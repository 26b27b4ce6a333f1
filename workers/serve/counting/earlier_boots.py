"""A gateway tells what remains of its earlier boots, which were killed before they could."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from workers.serve.control import ControlPlane, Refused, Unreachable
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.remains import Remains, read_remains
from workers.serve.files import GatewayFiles

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.5
NOT_FOUND: Final = 404


class EarlierBoots:
    def __init__(self, boot: UUID, control: ControlPlane, files: GatewayFiles, metrics: Metrics) -> None:
        self._boot, self._control, self._files, self._metrics = boot, control, files, metrics

    async def tell(self) -> None:
        """Each one's journal, until the control plane has taken or refused it; then the file goes."""
        for path in self._files.earlier_journals(self._boot):
            remains = read_remains(path)
            if remains is not None:
                await self._tell(remains)
            path.unlink(missing_ok=True)

    async def _tell(self, remains: Remains) -> None:
        try:
            for body in remains.sealed:
                await self._tell_sealed(body)
            await _reach(lambda: self._control.report_lost(remains.lost))
        except Refused as error:
            # 404: that boot never reached the control plane, so it never held a lease
            logger.error("what remains of boot %s is refused: %s", remains.boot, error)
        else:
            if any(second.unfinished for second in remains.lost.seconds):
                logger.warning("boot %s was lost with units that never ended: reported as errors", remains.boot)

    async def _tell_sealed(self, body: str) -> None:
        try:
            await _reach(lambda: self._control.observe(body))
        except Refused as error:
            if error.status == NOT_FOUND:
                raise
            self._metrics.lost_seconds.inc()
            logger.warning("a second of an earlier boot is lost: %s", error)


async def _reach(send: Callable[[], Awaitable[object]]) -> None:
    """Until it is accepted. Raises Refused."""
    while True:
        try:
            await send()
        except Unreachable:
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
