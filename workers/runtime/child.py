"""One attempt of one job in a process of its own: `python -m workers.runtime.child <report pipe>`."""

import contextlib
import importlib
import os
import resource
import signal
import sys
import threading
import traceback
from pathlib import Path

from processes.logs import log_to_stderr
from processes.parent import die_with_parent
from schemas.claims import Checkpoint, CurvePoint, Progress, Usage
from schemas.jobs import RESULT, SPEC
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context, Report
from workers.runtime.errors import JobError
from workers.runtime.messages import AttemptMessage, Fault, Task
from workers.runtime.schemes.index import Index
from workers.runtime.sources import Sources

OOM_SCORE = "500"
"""When memory runs out, the kernel is to take this process, not its worker."""
ORPHANED = 70


class ReportPipe:
    """Writes whole lines; a worker that is gone ends this process."""

    def __init__(self, descriptor: int) -> None:
        self._out = os.fdopen(descriptor, "wb", buffering=0)
        self._lock = threading.Lock()

    def say(self, said: AttemptMessage) -> None:
        line = said.model_dump_json(exclude_none=True).encode() + b"\n"
        try:
            with self._lock:
                while line:
                    line = line[self._out.write(line) :]
        except BrokenPipeError:
            die()

    def close(self) -> None:
        self._out.close()

    def report(self, report: Report) -> None:
        if isinstance(report, Progress):
            self.say(AttemptMessage(progress=report))
        elif isinstance(report, Checkpoint):
            self.say(AttemptMessage(checkpoint=report))
        elif isinstance(report, CurvePoint):
            self.say(AttemptMessage(point=report))
        else:
            self.say(AttemptMessage(log=report.encode("utf-8", "replace").decode()))


def main(report_descriptor: int) -> None:
    task, lifeline = read_task()
    follow_into_death(task.worker_pid, lifeline)
    os.set_inheritable(report_descriptor, False)
    log_to_stderr("INFO")
    pipe = ReportPipe(report_descriptor)
    pipe.say(run(task, pipe))


def run(task: Task, pipe: ReportPipe) -> AttemptMessage:
    """The handler's result, or why there is none."""
    try:
        # The kind is one of a closed literal: never free text.
        handle = importlib.import_module(f"workers.{task.kind}.handler").handle
    except ImportError as error:
        return AttemptMessage(unable=f"this worker cannot run {task.kind} jobs: {error}")
    try:
        result = RESULT.validate_python(handle(SPEC.validate_python(task.spec), build_context(task, pipe)))
        return AttemptMessage(result=result, usage=usage())
    except JobError as error:
        return AttemptMessage(fault=Fault(reason=error.reason, retryable=error.retryable))
    except MemoryError:
        return AttemptMessage(fault=Fault(reason="out of memory", retryable=True))
    except Exception as error:
        return AttemptMessage(fault=Fault(reason=describe(error, pipe), retryable=True))


def usage() -> Usage:
    """What this process and those that it waited for have used. Linux counts ru_maxrss in KiB, macOS in bytes."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Usage(
        cpu_seconds=sum(one.ru_utime + one.ru_stime for one in both),
        peak_rss_bytes=max(one.ru_maxrss for one in both) * (1 if sys.platform == "darwin" else 1024),
    )


def build_context(task: Task, pipe: ReportPipe) -> Context:
    stores = task.stores
    artifacts = ArtifactStore(stores.artifacts_url, stores.cache / "artifacts")
    artifacts.sweep()
    index = Index(stores.pypi_packages, stores.pypi_index_url, stores.pypi_file_hosts)
    return Context(
        artifacts=artifacts,
        sources=Sources(stores.sources_cache, stores.file_roots, index),
        workdir=task.workdir,
        report=pipe.report,
        checkpoint=task.checkpoint,
    )


def describe(error: Exception, pipe: ReportPipe) -> str:
    """Class and place; the trace without messages goes to the log. A message may quote a row: those are nobody's."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in frames:
        pipe.report(f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}")
    last = frames[-1] if frames else None
    where = f" at {Path(last.filename).name}:{last.lineno} in {last.name}" if last else ""
    return f"unexpected {type(error).__name__}{where}"


# --- the process ------------------------------------------------------------------------------------------------------


def read_task() -> tuple[Task, int]:
    """The first line of standard input, and the descriptor on which nothing but its end will ever be read."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            os._exit(ORPHANED)
        line += chunk
    # A handler's own children must not hold our lifeline, nor read from it.
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return Task.model_validate_json(line), lifeline


def follow_into_death(worker_pid: int, lifeline: int) -> None:
    """End with the worker, also when it is SIGKILLed, also while native code holds the interpreter's lock."""
    die_with_parent(signal.SIGKILL)
    with contextlib.suppress(OSError):  # not on Linux
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    if os.getppid() != worker_pid:  # it died before prctl could hear of it
        die()
    threading.Thread(target=_wait_for_end, args=(lifeline,), name="lifeline", daemon=True).start()


def die() -> None:
    """With everything that the handler started, when this process leads a group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(ORPHANED)


def _wait_for_end(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    die()


if __name__ == "__main__":
    main(int(sys.argv[1]))
