"""A job's process as its worker sees it: started, listened to, and ended with everything that it started."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import IO

from pydantic import ValidationError

from workers.runtime.messages import AttemptMessage, Task
from workers.runtime.start import Started

LAST_WORDS_SECONDS = 5.0


class JobProcess:
    """Leads a process group of its own. `hear` is called from two threads, with reports and with lines of output."""

    def __init__(self, task: Task, started: Started, hear: Callable[[AttemptMessage], None]) -> None:
        self._hear = hear
        self._process, self._stdin, self._output = started.process, started.stdin, started.output
        self._threads = (
            threading.Thread(target=self._listen, args=(started.reports,), name="reports", daemon=True),
            threading.Thread(target=self._read_output, name="output", daemon=True),
        )
        for thread in self._threads:
            thread.start()
        self._tell(task)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> bool:
        return self._process.poll() is not None

    def end(self, grace_seconds: float) -> None:
        """SIGTERM to the group, and SIGKILL to what is left after the grace."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """After its end: leave nothing behind that it started, and hear its last words."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(LAST_WORDS_SECONDS)
        self._stdin.close()

    def how_it_ended(self) -> str:
        """In words, for a process that ended without saying why."""
        status = self._process.returncode
        if status is None or status >= 0:
            return f"the job's process ended with exit status {status} and without a result"
        name = signal.Signals(-status).name if -status in signal.valid_signals() else ""
        hint = ", as when memory runs out" if -status == signal.SIGKILL else ""
        return f"the job's process was killed by signal {-status} ({name}){hint}"

    def _tell(self, task: Task) -> None:
        try:
            self._stdin.write(task.model_dump_json().encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:  # it died at once: its exit status says so
            return

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _listen(self, reports: IO[bytes]) -> None:
        with reports:
            for line in reports:
                try:
                    self._hear(AttemptMessage.model_validate_json(line))
                except ValidationError:
                    self._hear(AttemptMessage(log="… the job's process said something that this worker cannot read"))

    def _read_output(self) -> None:
        with self._output:
            for line in self._output:
                # a progress bar redraws its line with \r: its last state is enough
                text = line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
                if text:
                    self._hear(AttemptMessage(log=text))
