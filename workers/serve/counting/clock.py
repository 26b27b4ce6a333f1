"""A boot's clock: wall-clock seconds that never step back, and that go on while the machine sleeps."""

import time
from collections.abc import Callable


def monotonic() -> float:
    """On Linux `time.monotonic` stands still while a machine is suspended; leases and seconds must not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class BootClock:
    """The wall clock at the boot's start plus monotonic time since."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = monotonic) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self.first_second = self.second()

    def now(self) -> float:
        """Monotonic seconds; deadlines and leases are in these."""
        return self._monotonic()

    def second(self) -> int:
        return int(self._monotonic() + self._offset)

    def start_of(self, second: int) -> float:
        """When a second begins, in the time of `now`."""
        return second - self._offset
