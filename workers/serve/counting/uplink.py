"""What a gateway tells the control plane: its boot, every second, and what it applies."""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from schemas.serving import GatewayBoot, GatewayReport, Generation, LostUnits, Probed
from workers.serve.control import CONFLICT, NOT_FOUND, RETRY_SECONDS, ControlPlane, Refused, Unreachable
from workers.serve.counting.clock import BootClock
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.metrics import Metrics

logger = logging.getLogger(__name__)

SEAL_SECONDS = 0.1
REPORT_SECONDS = 2.0
KEPT_SECONDS = 24 * 3600
"""Unsent: an older one comes too late for any fold, and a control plane may be away for weeks."""


class Applied(Protocol):
    """What a gateway applies now, which is told to the control plane, and the lease, which its answers renew."""

    @property
    def in_force(self) -> Generation | None: ...
    @property
    def loaded(self) -> tuple[UUID, ...]: ...
    @property
    def probed(self) -> Probed | None: ...
    @property
    def clock(self) -> BootClock: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def news(self) -> asyncio.Event: ...
    def weight_at(self, second: int) -> float: ...
    def weight_shown(self) -> float: ...
    def renew(self, rollout: UUID | None, until: float) -> None: ...


class Uplink:
    """One observation in flight, in order; while it is behind it does not wait a second between two."""

    def __init__(self, boot: GatewayBoot, state: Applied, control: ControlPlane, metrics: Metrics) -> None:
        self._boot, self._state, self._control, self._metrics = boot, state, control, metrics
        self._unsent: deque[tuple[int, str]] = deque()
        self._sealed = asyncio.Event()
        self._registered = asyncio.Event()

    async def seal(self) -> None:
        while True:
            self.seal_now()
            await asyncio.sleep(SEAL_SECONDS)

    def seal_now(self) -> None:
        state = self._state
        generation = state.in_force.generation if state.in_force else None
        for observation in state.ledger.seal(generation, state.weight_at(state.clock.second())):
            body = observation.model_dump_json()
            state.journal.seal(observation.second, body)
            self._unsent.append((observation.second, body))
            self._sealed.set()
            if len(self._unsent) > KEPT_SECONDS:
                state.journal.forget(self._unsent[1][0])
                del self._unsent[1]  # the first one may be on its way
                self._metrics.lost_seconds.inc()
        self._metrics.unsent_seconds.set(len(self._unsent))

    async def observe(self) -> None:
        """Register, then send every second. Only the answer to an observation renews the lease."""
        await self._register()
        while True:
            await self._sealed.wait()
            while self._unsent:
                await self._send(*self._unsent[0])
                second, _ = self._unsent.popleft()
                self._state.journal.settle(second)
            self._sealed.clear()

    async def end(self, second: int) -> None:
        """Everything up to this second is accepted, and nothing more comes: the fold need not wait for this boot.

        With something left to tell the next boot says so, when it has told it.
        """
        await self._flushed(second)
        if self._state.journal.empty:
            with suppress(Unreachable, Refused):
                await self._control.report_lost(LostUnits(boot=self._boot.boot, seconds=()))

    async def _flushed(self, second: int) -> None:
        await asyncio.sleep(self._state.clock.start_of(second + 1) - self._state.clock.now())
        self.seal_now()
        while self._unsent:
            await asyncio.sleep(SEAL_SECONDS)

    async def report(self) -> None:
        await self._registered.wait()
        while True:
            self._state.news.clear()
            try:
                await self._control.report(self._present())
            except (Unreachable, Refused) as error:
                logger.debug("report: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._state.news.wait(), REPORT_SECONDS)

    async def _register(self) -> None:
        first = True
        while True:
            try:
                await self._control.register(self._present_boot())
            except (Unreachable, Refused) as error:
                logger.log(logging.INFO if first else logging.DEBUG, "boot is not registered: %s", error)
                first = False
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._registered.set()
                return

    def _present_boot(self) -> GatewayBoot:
        return self._boot.model_copy(update={"sent_second": self._state.clock.second()})

    async def _send(self, second: int, body: str) -> None:
        """Until it is accepted, or refused for good; the same bytes every time."""
        while True:
            rollout = self._state.in_force.rollout_id if self._state.in_force else None
            sent = self._state.clock.now()
            try:
                answer = await self._control.observe(body)
            except Unreachable as error:
                logger.debug("second %d: %s", second, error)
                await asyncio.sleep(RETRY_SECONDS)
            except Refused as error:
                if error.status != NOT_FOUND:
                    self._lose(second, error)
                    return
                await asyncio.sleep(RETRY_SECONDS)
                await self._register()
            else:
                if answer.lease_seconds > 0:
                    self._state.renew(rollout, sent + answer.lease_seconds)
                return

    def _lose(self, second: int, error: Refused) -> None:
        self._metrics.lost_seconds.inc()
        level = logging.WARNING if error.status == CONFLICT else logging.ERROR
        logger.log(level, "second %d is lost: %s", second, error)

    def _present(self) -> GatewayReport:
        state = self._state
        in_force = state.in_force
        return GatewayReport(
            boot=self._boot.boot,
            generation=in_force.generation if in_force else 0,
            applied_weight=state.weight_shown(),
            loaded=state.loaded,
            probed=(state.probed,) if state.probed else (),
        )
