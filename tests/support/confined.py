"""Runs a piece of code in a child with little memory to spare, and says how it ended and what it took.

`python -m tests.support.confined` is the other side: it imports once, then forks for each request.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

HEADROOM = 600 << 20
"""Bytes of address space that a request may take beyond what the imports took."""


@dataclass(frozen=True)
class Outcome:
    kind: str
    """The class of what was raised; empty: it returned."""
    job_error: bool
    """It was raised as a reason that people can read."""
    words: str
    grown: int
    """Bytes of memory that it held at most, beyond what was there when it began."""


class Confined:
    """One zygote with `modules` imported; `run` names a function of a module and its JSON arguments."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.confined", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, function: str, *arguments: str, headroom: int = HEADROOM) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"function": function, "arguments": arguments, "headroom": headroom}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        try:
            line = self._process.stdout.readline()
        except BaseException:  # the test's time is over, and the answer would be taken for the next one's
            self._kill()
            raise
        assert line, "the zygote has died"
        return Outcome(**json.loads(line))

    def close(self) -> None:
        self._kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _kill(self) -> None:
        """Also the child that is at it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


# --- the zygote -------------------------------------------------------------------------------------------------------


def serve(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _tell(writing, _outcome(request))
        os.close(writing)
        with os.fdopen(reading) as told:
            answer = told.read()
        _, status = os.waitpid(child, 0)
        died = {"kind": f"died with status {status}", "job_error": False, "words": "", "grown": 0}
        answers.write((answer or json.dumps(died)) + "\n")
        answers.flush()


def _tell(writing: int, outcome: dict[str, Any]) -> None:
    os.write(writing, json.dumps(outcome).encode())
    os._exit(0)


def _outcome(request: dict[str, Any]) -> dict[str, Any]:
    from workers.runtime.errors import JobError

    module, _, name = request["function"].partition(":")
    function: Callable[..., object] = getattr(importlib.import_module(module), name)
    before = _status("VmRSS")
    _forget_peak()
    most = _status("VmSize") + request["headroom"]
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    kind, words, expected = "", "", False
    try:
        function(*request["arguments"])
    except BaseException as error:  # also a library's panic, which is no Exception
        kind, words, expected = type(error).__name__, str(error)[:2000], isinstance(error, JobError)
    return {"kind": kind, "job_error": expected, "words": words, "grown": max(0, _status("VmHWM") - before)}


def _forget_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))


if __name__ == "__main__":
    serve(sys.argv[1:])
