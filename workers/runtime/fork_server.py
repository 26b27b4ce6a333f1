"""Forks a worker's attempts from a process that holds their libraries: `python -m workers.runtime.fork_server`.

`multiprocessing.forkserver` cannot do this: it hands our secrets down, lives on when its worker is killed, takes its
modules once and for all, and forks no matter how many threads it has.
"""

import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from processes.parent import die_with_parent
from schemas.jobs import JobKind
from workers.runtime import child
from workers.runtime.linux import thread_count
from workers.runtime.messages import ForkAnswer, ForkOrder

ORDER_BYTES: Final = 4096
BLAS_THREADS: Final = "OPENBLAS_NUM_THREADS"
DESCRIPTORS: Final = 3
"""How many file descriptors an order to fork an attempt brings along: standard input, output, reports."""


def main(descriptor: int, worker_pid: int, idle_seconds: float) -> None:
    die_with_parent(signal.SIGKILL)
    if os.getppid() != worker_pid:  # it died before prctl could hear of it
        return
    worker = socket.socket(fileno=descriptor)
    worker.settimeout(idle_seconds)
    reports = serve(worker)
    worker.close()
    if reports is not None:
        run_attempt(reports)


def serve(worker: socket.socket) -> int | None:
    """Returns in each attempt's process, with its report pipe; in the server when its worker asks no more: None."""
    while True:
        try:
            order, descriptors, _, _ = socket.recv_fds(worker, ORDER_BYTES, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        except (TimeoutError, ConnectionError):
            return None
        if not order:
            return None
        refusal = warm_up(ForkOrder.model_validate_json(order).kind)
        pid = None if refusal else fork()
        if pid == 0:
            return become_attempt(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        answer = ForkAnswer(pid=pid, refusal=refusal or (None if pid else "no process could be started"))
        worker.send(answer.model_dump_json().encode())


def warm_up(kind: JobKind) -> str | None:
    """Why this kind cannot be forked, None when it can. An attempt that starts cold meets and tells the same error."""
    with one_blas_thread():
        for module in libraries_of(kind):
            try:
                importlib.import_module(module)
            except Exception as error:
                return f"{module} cannot be imported: {type(error).__name__}"
    gc.collect()
    gc.freeze()  # a collection in an attempt would copy every page of what it inherits
    threads = thread_count()
    # A lock that another thread holds while we fork stays locked in the fork for ever.
    return f"its libraries started {threads - 1} threads" if threads > 1 else None


def libraries_of(kind: JobKind) -> Sequence[str]:
    """What the package of this kind names: what costs most and starts no thread.

    pyarrow and onnxruntime start one: each attempt imports those itself, 0.3 s.
    """
    named: Sequence[str] = importlib.import_module(f"workers.{kind}").LIBRARIES
    return named


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's BLAS starts threads when it is loaded. No job leans on it: PyTorch and ONNX have their own."""
    given = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[BLAS_THREADS]
        if given is not None:
            os.environ[BLAS_THREADS] = given


def fork() -> int | None:
    """The pid of a new leader of a session, 0 in that process itself, None when there is none.

    A process between the two ends at once: so the worker, and not this server, is the parent that waits for it.
    """
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        return _fork_again(read_end, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        pid = answer.read()
    os.waitpid(between, 0)
    return int(pid) if pid else None


def _fork_again(read_end: int, write_end: int) -> int:
    """In the process between; returns in its child only, when that leads its session."""
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    os.setsid()
    os.write(write_end, str(os.getpid()).encode())
    os.close(read_end)
    os.close(write_end)
    return 0


def become_attempt(descriptors: Sequence[int]) -> int:
    """As `python -m workers.runtime.child` finds itself, with its own pipes. Answers the one for reports."""
    stdin, output, reports = descriptors
    for source, target in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(stdin)
    os.close(output)
    reseed()
    return reports


def run_attempt(reports: int) -> None:
    """What it has to say is said when it returns: taking down an interpreter of this size would cost 0.4 CPU-s."""
    status = 1
    try:
        child.main(reports)
        status = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def reseed() -> None:
    """Two forks of one server must not draw the same numbers. Python reseeds its own generator when it forks."""
    modules: Mapping[str, Any] = sys.modules
    if numpy := modules.get("numpy"):
        numpy.random.seed()
    if torch := modules.get("torch"):
        torch.manual_seed(int.from_bytes(os.urandom(8), "little", signed=True))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
