"""Starts a job's process, and joins it to its worker by pipes."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

SECRETS = frozenset(
    f"GRAFTWORK_{name}"
    for name in ("TOKEN", "TOKEN_FILE", "BOOTSTRAP_TOKEN", "DATABASE_URL", "GATEWAY_TOKEN", "KAFKA_SASL_PASSWORD")
)
"""A handler knows no HTTP and no database, so its process gets no way into either."""


class Process(Protocol):
    """A `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True)
class Ends:
    """The process's ends of its pipes."""

    stdin: int
    output: int
    reports: int


@dataclass(frozen=True)
class Started:
    """A process with the worker's ends of its pipes."""

    process: Process
    stdin: IO[bytes]
    output: IO[bytes]
    reports: IO[bytes]


def environment() -> dict[str, str]:
    """The environment of a process that runs handlers: this one's without its secrets, and with unbuffered output."""
    return {**{name: value for name, value in os.environ.items() if name not in SECRETS}, "PYTHONUNBUFFERED": "1"}


def start_cold() -> Started:
    """A new interpreter, which imports what its job needs."""
    return with_pipes(_open)


def _open(ends: Ends) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "workers.runtime.child", str(ends.reports)],
        stdin=ends.stdin,
        stdout=ends.output,
        stderr=subprocess.STDOUT,
        pass_fds=(ends.reports,),
        start_new_session=True,
        env=environment(),
    )


def with_pipes(begin: Callable[[Ends], Process]) -> Started:
    """Pipes of one process: it alone holds its ends of them, and when it cannot begin nobody holds any."""
    stdin, to_process = os.pipe()
    from_process, output = os.pipe()
    heard, reports = os.pipe()
    kept: tuple[IO[bytes], ...] = (os.fdopen(to_process, "wb"), os.fdopen(from_process, "rb"), os.fdopen(heard, "rb"))
    try:
        process = begin(Ends(stdin, output, reports))
    except BaseException:
        for file in kept:
            file.close()
        raise
    finally:
        for end in (stdin, output, reports):
            os.close(end)
    return Started(process, *kept)
