"""Starts jobs' processes warm: as forks of a server that holds their libraries, wherever that works."""

import logging
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable

from schemas.jobs import JobKind
from workers.runtime.linux import adopt_orphans, reap_orphans
from workers.runtime.messages import ForkAnswer, ForkOrder
from workers.runtime.start import Ends, Started, environment, start_cold, with_pipes

logger = logging.getLogger(__name__)
SERVER = "workers.runtime.fork_server"
LOOK_SECONDS = 0.1
ANSWER_BYTES = 4096


class CannotFork(Exception):
    """Not this kind, not now."""


class ServerGone(Exception):
    """It was killed, or had nothing to do for long."""


class Starter:
    """Starts one worker's attempts. It owns its process's children: what it adopted and what has ended, it lets go."""

    def __init__(self, warm_seconds: float) -> None:
        """Libraries stay in memory for so long after the last job; 0: every job starts cold."""
        self._warm_seconds = warm_seconds
        self._server: ForkServer | None = None
        self._can_fork = warm_seconds > 0 and adopt_orphans()

    def start(self, kind: JobKind, unwanted: Callable[[], bool]) -> Started:
        """`unwanted` is asked while libraries are loaded: what nobody wants any more must not wait for them."""
        reap_orphans()
        if self._can_fork:
            try:
                return self._fork(kind, unwanted)
            except CannotFork as reason:
                logger.warning("a %s job starts cold: %s", kind, reason)
        return start_cold()

    def close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    def _fork(self, kind: JobKind, unwanted: Callable[[], bool]) -> Started:
        if self._server:
            try:
                return self._server.start(kind, unwanted)
            except ServerGone:
                self.close()
        self._server = ForkServer(self._warm_seconds)
        try:
            return self._server.start(kind, unwanted)
        except ServerGone as gone:
            self.close()
            raise CannotFork("the fork server ended at once") from gone


class ForkServer:
    """As its worker sees it. It ends with its worker, and when it had nothing to do for so many seconds."""

    def __init__(self, idle_seconds: float) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", SERVER, *map(str, (theirs.fileno(), os.getpid(), idle_seconds))],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=environment(),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, kind: JobKind, unwanted: Callable[[], bool]) -> Started:
        return with_pipes(lambda ends: Fork(self._pid_of_fork(kind, ends, unwanted)))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _pid_of_fork(self, kind: JobKind, ends: Ends, unwanted: Callable[[], bool]) -> int:
        try:
            order = ForkOrder(kind=kind).model_dump_json().encode()
            socket.send_fds(self._socket, [order], [ends.stdin, ends.output, ends.reports])
            while not select.select([self._socket], [], [], LOOK_SECONDS)[0]:
                if unwanted():
                    self._process.kill()  # it may import for seconds more; the next job starts another
                    raise CannotFork("it is wanted no more")
            heard = self._socket.recv(ANSWER_BYTES)
        except ConnectionError as error:
            raise ServerGone from error
        if not heard:
            raise ServerGone
        answer = ForkAnswer.model_validate_json(heard)
        if answer.pid is None:
            raise CannotFork(answer.refusal)
        return answer.pid


class Fork:
    """A child that the fork server forked and we adopted. As `subprocess.Popen`, as far as a worker needs it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if ended else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._wait_for_end(timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def _wait_for_end(self, timeout: float | None) -> None:
        descriptor = os.pidfd_open(self.pid)
        try:
            select.select([descriptor], [], [], timeout)
        finally:
            os.close(descriptor)
