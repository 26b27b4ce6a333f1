"""What `claimer` and `listener` say as they go, by the name that stands before it."""

import time

from tests.support.processes import Process

SECONDS = 60.0
IDLE = "idle"


class Log:
    """Lines `NAME NANOSECONDS NANOSECONDS` of a process, as they come."""

    def __init__(self, process: Process, seconds: float = SECONDS) -> None:
        self._process = process
        self._seconds = seconds
        self._file = process.log.open()
        self._half = ""
        self._lines: dict[str, tuple[int, int]] = {}

    def close(self) -> None:
        self._file.close()

    def next(self, name: str) -> tuple[int, int]:
        """The two moments in the line of that name, whatever else comes first; fails with the process's last words."""
        deadline = time.monotonic() + self._seconds
        while name not in self._lines:
            assert time.monotonic() < deadline, (
                f"{self._process.name} heard nothing of {name}: {self._process.output()[-2000:]}"
            )
            if not self._read():
                time.sleep(0.001)
        return self._lines.pop(name)

    def until_idle(self, since: int) -> None:
        """It had nothing to do, at that moment or later."""
        while self.next(IDLE)[0] < since:
            pass

    def _read(self) -> bool:
        """Whether anything came. Of two lines of one name the first counts: what an event began twice began then."""
        *lines, self._half = (self._half + self._file.read()).split("\n")
        for line in lines:
            match line.split(" "):
                case [name, moment, _] if name == IDLE and moment.isdigit():
                    self._lines[IDLE] = int(moment), int(moment)
                case [name, one, other] if one.isdigit() and other.isdigit():
                    self._lines.setdefault(name, (int(one), int(other)))
        return bool(lines)
