"""What only time moves: a table of duties, done by the one process that holds the lease."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from controlplane.commands.spine import singleton_leases
from controlplane.commands.spine.singleton import Singleton
from controlplane.duties.job_leases import expire_leases
from controlplane.duties.retention import prune
from controlplane.duties.rollouts import fold_rollouts
from controlplane.duties.triggers import fire_due_triggers
from controlplane.errors import LostLease
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.unit_of_work import Cause, UnitOfWork

logger = logging.getLogger(__name__)
LEASE: Final = "reconciler"
LOOK_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Duty:
    """Done every so many seconds; it opens its own units of work, which fail once another process is the reconciler."""

    name: str
    every_seconds: float
    run: Callable[[Database, Settings], None]


def duties(settings: Settings) -> tuple[Duty, ...]:
    return (
        Duty("expire_leases", 1.0, expire_leases),
        Duty("fold_rollouts", 1.0, fold_rollouts),
        Duty("fire_due_triggers", 0.5, fire_due_triggers),
        Duty("prune", settings.prune_seconds, prune),
    )


def run(database: Database, settings: Settings, stop: threading.Event) -> None:
    """Until told to stop; a fault of one duty is logged and counted, and never ends the others."""
    singleton = Singleton(database, LEASE, settings.singleton_lease_seconds)
    reconciler = Reconciler(database, settings, singleton, duties(settings))
    try:
        while not stop.is_set():
            stop.wait(LOOK_SECONDS if reconciler.step() else RETRY_SECONDS)
    finally:
        try:
            singleton.release()
        except Exception as error:  # the lease expires by itself
            logger.warning("the lease was not given back: %s", type(error).__name__)


class Reconciler:
    """Does what is due, while it is the active one."""

    def __init__(self, database: Database, settings: Settings, singleton: Singleton, duties: Sequence[Duty]) -> None:
        self.failures: dict[str, int] = {duty.name: 0 for duty in duties}
        self._database = database
        self._settings = settings
        self._singleton = singleton
        self._duties = duties
        self._due = {duty.name: 0.0 for duty in duties}

    def step(self) -> bool:
        """One look at every duty; False when this process is not the active reconciler, or cannot know."""
        for duty in self._duties:
            try:
                fence = self._singleton.hold()
            except Exception as error:  # the database is away: the next look asks again
                logger.warning("the reconciler's lease cannot be asked for: %s", type(error).__name__)
                return False
            if fence is None:
                return False
            if time.monotonic() >= self._due[duty.name]:
                self._do(duty, fence)
        return True

    def _do(self, duty: Duty, fence: int) -> None:
        self._due[duty.name] = time.monotonic() + duty.every_seconds
        try:
            duty.run(Fenced(self._database, self._singleton.owner, fence), self._settings)
        except LostLease:
            self._singleton.lose()
        except Exception as error:
            self.failures[duty.name] += 1
            logger.error(
                "duty %s failed (%d so far): %s",
                duty.name,
                self.failures[duty.name],
                type(error).__name__,
                exc_info=error,
            )


class Fenced(Database):
    """The same database, whose every unit of work commits only while this process is still the active reconciler."""

    def __init__(self, database: Database, owner: str, fence: int) -> None:
        vars(self).update(vars(database))  # one pool, one list of listeners, and whatever else it has
        self._owner = owner
        self._fence = fence

    @contextmanager
    def begin(self, actor: str, cause: Cause | None = None) -> Iterator[UnitOfWork]:
        with super().begin(actor, cause) as uow:
            singleton_leases.check_fence(uow, LEASE, self._owner, self._fence)
            yield uow
