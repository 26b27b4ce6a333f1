"""One gateway: its parts wired together, and the tasks that keep it current."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from schemas.serving import GatewayBoot
from workers.serve.control import ControlPlane
from workers.serve.counting.clock import BootClock
from workers.serve.counting.earlier_boots import EarlierBoots
from workers.serve.counting.journal import Journal
from workers.serve.counting.ledger import Ledger
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.uplink import Uplink
from workers.serve.engines.port import OpenEngine
from workers.serve.files import GatewayFiles
from workers.serve.rollout.generations import Follower
from workers.serve.rollout.state import State
from workers.serve.rollout.units import Units
from workers.serve.settings import GatewaySettings
from workers.serve.threads import in_thread

logger = logging.getLogger(__name__)

LAST_WORDS_SECONDS = 2.5
"""At a clean end: one more second passes, is sealed and sent."""
RESTART_SECONDS = 1.0


@dataclass(frozen=True)
class Gateway:
    state: State
    units: Units
    metrics: Metrics

    @property
    def ready(self) -> bool:
        in_force = self.state.in_force
        return in_force is not None and in_force.stable is not None

    def render_metrics(self) -> bytes:
        state = self.state
        self.metrics.generation.set(state.in_force.generation if state.in_force else 0)
        self.metrics.applied_weight.set(state.weight_shown())
        self.metrics.lease_seconds.set(max(0.0, state.lease.until - state.clock.now()))
        return self.metrics.render()


@asynccontextmanager
async def running(settings: GatewaySettings, open_engine: OpenEngine, files: GatewayFiles) -> AsyncIterator[Gateway]:
    """A gateway that follows its deployment while the context is open."""
    control = ControlPlane(settings.api_url, settings.token_value(), settings.deployment)
    metrics = Metrics()
    clock = BootClock()
    boot = GatewayBoot(
        boot=uuid4(),
        gateway=settings.name,
        deployment=settings.deployment,
        first_second=clock.first_second,
        sent_second=clock.second(),
    )
    journal = Journal(files.journal(boot.boot), boot.boot)
    engine = open_engine(metrics)
    state = State(boot.boot, clock, journal, Ledger(boot.boot, clock, journal), engine)
    follower = Follower(state, control, files)
    uplink = Uplink(boot, state, control, metrics)
    earlier = EarlierBoots(boot.boot, control, files, metrics)
    current = [_task(work) for work in (follower.follow, follower.load, follower.keep, earlier.tell)]
    telling = [_task(uplink.seal), _task(uplink.observe), _task(uplink.report)]
    units = Units(state, metrics)
    try:
        yield Gateway(state, units, metrics)
    finally:
        await units.close()
        await _stop(current)
        with suppress(TimeoutError):
            await asyncio.wait_for(in_thread(follower.keep_now, name="keep"), LAST_WORDS_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(uplink.end(clock.second()), LAST_WORDS_SECONDS)
        await _stop(telling)
        engine.close()
        journal.close()
        await control.close()


def _task(work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    return asyncio.create_task(_kept_going(work))


async def _kept_going(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """None of the tasks may end unseen: without one, a gateway would serve on and follow nothing."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s failed and goes on", work.__name__)
            await asyncio.sleep(RESTART_SECONDS)
        else:
            return


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
