"""Glances at a site for as long as a round lasts: what is wrong for a moment only is wrong too."""

import threading
from types import TracebackType

from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError

from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.invariants.expected import Expected

GLANCE_SECONDS = 0.4
AWAY = (OperationalError, InterfaceError, PendingRollbackError, OSError)


class Watch:
    """A thread of its own; while the database is away it sees nothing."""

    def __init__(self, auditor: Auditor, expected: Expected) -> None:
        self.violations: list[str] = []
        self.glances = 0
        self._auditor, self._expected = auditor, expected
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(GLANCE_SECONDS):
            try:
                self.violations += self._auditor.glance(self._expected)
                self.glances += 1
            except AWAY:
                continue
            except Exception as error:
                self.violations.append(f"a glance failed: {type(error).__name__}: {error}")
                return
