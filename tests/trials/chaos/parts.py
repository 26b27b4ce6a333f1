"""What can be killed, stopped and started again: processes of ours, the broker, the database, a whole machine."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.broker import KAFKA_SH, Broker
from tests.support.postgres_server import POSTGRES_SH
from tests.support.processes import Process, children, descendants, is_alive, told_of
from tests.support.waiting import wait_for

PATIENCE = 150.0


class Part(Protocol):
    """`start` after `kill`; `resume` after `pause`; `restart` ends it politely and starts it again."""

    @property
    def running(self) -> bool: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def restart(self) -> None: ...


@dataclass
class OwnProcess:
    """A process that the runner starts: `begin` answers a new life of it."""

    begin: Callable[[], Process]
    life: Process | None = None

    @property
    def running(self) -> bool:
        return self.life is not None and self.life.running

    def start(self) -> None:
        if not self.running:
            self.life = self.begin()

    def kill(self) -> None:
        if self.life is not None:
            self.life.kill()

    def pause(self) -> None:
        if self.life is not None:
            self.life.pause()

    def resume(self) -> None:
        if self.life is not None:
            self.life.resume()

    def restart(self) -> None:
        """Raises AssertionError when it had to be killed: it was asked politely."""
        if self.life is not None:
            assert self.life.stop() != -signal.SIGKILL, f"{self.life.name} did not end within 30 s of SIGTERM"
        self.start()


@dataclass
class Supervised:
    """A child of `graftwork up`, found by its command line: its supervisor starts it again."""

    up: OwnProcess
    words: str
    _former: int | None = None
    _struck: set[int] = field(default_factory=set)
    """Lives that we ended."""
    _seen: tuple[int, int] | None = None
    """The supervisor and its child as they were at the last look."""

    @property
    def running(self) -> bool:
        return self._pid() is not None

    def has_ended_by_itself(self) -> bool:
        """Since the last look: under the same supervisor there is another life, and we did not end the one before."""
        pid, up = self._pid(), self.up.life
        if pid is None or up is None:
            return False
        before, self._seen = self._seen, (up.pid, pid)
        return before is not None and before[0] == up.pid and before[1] not in (pid, *self._struck)

    def start(self) -> None:
        """Somebody else does that: returns when it was done."""
        wait_for(lambda: (pid := self._pid()) and pid != self._former, f"{self.words} lives again", seconds=PATIENCE)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        self._end(signal.SIGTERM)
        self.start()

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self._former is not None:
            self._struck.add(self._former)

    def _signal(self, number: signal.Signals) -> None:
        self._former = self._pid()
        if self._former is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._former, number)

    def _pid(self) -> int | None:
        if self.up.life is None:
            return None
        return next((pid for pid in children(self.up.life.pid) if self.words in told_of(pid, "cmdline")), None)


@dataclass(frozen=True)
class Supervisor:
    """`graftwork up` itself: killed alone, its children have to follow it."""

    up: OwnProcess

    @property
    def running(self) -> bool:
        return self.up.running

    def start(self) -> None:
        self.up.start()

    def kill(self) -> None:
        family = self._family()
        self.up.kill()
        wait_for(lambda: not any(map(is_alive, family)), "no child survives its supervisor", seconds=PATIENCE)

    def pause(self) -> None:
        self.up.pause()

    def resume(self) -> None:
        self.up.resume()

    def restart(self) -> None:
        self.up.restart()

    def _family(self) -> list[int]:
        return descendants(self.up.life.pid) if self.up.life else []


class Everything(Supervisor):
    """A power cut: the supervisor and all that it started, at once."""

    def kill(self) -> None:
        self._all(signal.SIGKILL)
        family = self._family()
        self.up.kill()
        signal_all(family, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, family)), "everything ends", seconds=PATIENCE)

    def pause(self) -> None:
        self._all(signal.SIGSTOP)

    def resume(self) -> None:
        self._all(signal.SIGCONT)

    def _all(self, number: signal.Signals) -> None:
        if self.up.life is not None:
            signal_all([self.up.life.pid, *self._family()], number)


@dataclass(frozen=True)
class KafkaBroker:
    broker: Broker

    @property
    def running(self) -> bool:
        return is_alive(self._pid())

    def start(self) -> None:
        """It may take longer than its script waits: only a process that has ended did not start."""
        if not self.running:
            started = run(KAFKA_SH, "start", self._folder(), "--background")
            assert started or self.running, "the broker does not start"

    def kill(self) -> None:
        if self.running:
            self.broker.kill()

    def pause(self) -> None:
        self.broker.pause()

    def resume(self) -> None:
        if self.running:
            self.broker.resume()

    def restart(self) -> None:
        run(KAFKA_SH, "stop", self._folder())
        self.start()

    def _folder(self) -> Path:
        assert self.broker.folder is not None
        return self.broker.folder

    def _pid(self) -> int:
        file = self._folder() / "pid"
        return int(file.read_text()) if file.exists() else 0


@dataclass(frozen=True)
class Postgres:
    """The postmaster, and with it every backend."""

    folder: Path
    port: int

    @property
    def running(self) -> bool:
        return (pid := self._pid()) is not None and is_alive(pid)

    def start(self) -> None:
        wait_for(self._started, "PostgreSQL starts again", seconds=PATIENCE)

    def kill(self) -> None:
        """SIGKILL of the postmaster alone: its backends see that and end."""
        if (pid := self._pid()) is not None:
            backends = descendants(pid)
            signal_all([pid], signal.SIGKILL)
            wait_for(lambda: not any(map(is_alive, [pid, *backends])), "every backend ends", seconds=PATIENCE)

    def pause(self) -> None:
        if (pid := self._pid()) is not None:
            signal_all([pid, *descendants(pid)], signal.SIGSTOP)

    def resume(self) -> None:
        if (pid := self._pid()) is not None:
            signal_all([pid, *descendants(pid)], signal.SIGCONT)

    def restart(self) -> None:
        """A fast shutdown: transactions are rolled back, connections closed."""
        if (pid := self._pid()) is not None:
            signal_all([pid], signal.SIGINT)
            wait_for(lambda: not is_alive(pid), "PostgreSQL shuts down", seconds=PATIENCE)
        self.start()

    def _started(self) -> bool:
        return self.running or run(POSTGRES_SH, "start", self.folder, self.port)

    def _pid(self) -> int | None:
        file = self.folder / "data" / "postmaster.pid"
        try:
            return int(file.read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None


def run(*command: object) -> bool:
    """Its output goes nowhere: a server would inherit a pipe and never end it."""
    nothing = subprocess.DEVNULL
    words = [str(word) for word in command]
    return subprocess.run(words, stdin=nothing, stdout=nothing, stderr=nothing, timeout=300).returncode == 0


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
