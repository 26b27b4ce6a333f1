"""One process's claim to be the active relay, fact reader or reconciler."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from controlplane.commands.spine import singleton_leases
from controlplane.store.database import Database
from controlplane.store.unit_of_work import UnitOfWork


class Singleton:
    """Holds the lease of that name while it can; its clock only says when to ask, the database says who holds it."""

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        self.name = name
        self.owner = f"{name}:{uuid4()}"
        self.fence: int | None = None
        self._database = database
        self._seconds = seconds
        self._ask_at = 0.0

    def hold(self) -> int | None:
        """The fence while this process is the active one, renewed every third of the lease; else None."""
        if time.monotonic() >= self._ask_at:
            with self._database.begin(self.owner) as uow:
                self.fence = singleton_leases.acquire(uow, self.name, self.owner, self._seconds)
            self._ask_at = time.monotonic() + self._seconds / 3
        return self.fence

    @contextmanager
    def begin(self, fence: int) -> Iterator[UnitOfWork]:
        """A unit of work of the active one. Raises LostLease, and commits nothing, when somebody else is."""
        with self._database.begin(self.owner) as uow:
            singleton_leases.check_fence(uow, self.name, self.owner, fence)
            yield uow

    def lose(self) -> None:
        """Somebody else was seen to be the active one: ask again before doing anything more."""
        self.fence = None
        self._ask_at = 0.0

    def release(self) -> None:
        """Let the next one begin at once."""
        if self.fence is not None:
            with self._database.begin(self.owner) as uow:
                singleton_leases.release(uow, self.name, self.owner)
        self.lose()
