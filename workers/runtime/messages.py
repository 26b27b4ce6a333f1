"""What a worker says to its job's process and its fork server, and what those answer."""

from pathlib import Path
from typing import Any

from schemas.base import Strict
from schemas.claims import Checkpoint, CurvePoint, Progress, Usage
from schemas.jobs import JobKind, JobResult
from workers.runtime.settings import Stores


class Task(Strict):
    """The first line of the process's standard input, which then stays open for as long as the worker lives."""

    kind: JobKind
    spec: dict[str, Any]
    checkpoint: Checkpoint | None
    workdir: Path
    stores: Stores
    worker_pid: int


class Fault(Strict):
    """The handler ended without a result."""

    reason: str
    retryable: bool


class AttemptMessage(Strict):
    """One line of the process's report pipe: one of these is set; `usage` comes with a result."""

    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    point: CurvePoint | None = None
    log: str | None = None
    result: JobResult | None = None
    usage: Usage | None = None
    fault: Fault | None = None
    unable: str | None = None
    """This worker cannot do the job at all: it lacks a library."""


class ForkOrder(Strict):
    """Comes with the attempt's descriptors: its standard input, its output, its reports."""

    kind: JobKind


class ForkAnswer(Strict):
    """One of these is set."""

    pid: int | None = None
    refusal: str | None = None
