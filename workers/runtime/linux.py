"""What Linux alone can do for processes: die with a parent, adopt orphans, count threads."""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

# linux/prctl.h
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
TASKS: Final = Path("/proc/self/task")


def die_with_parent() -> None:
    """SIGKILL when the parent ends, also while native code holds the interpreter's lock."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> bool:
    """Processes whose parent ends become children of this one; False where the system cannot."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and _prctl(PR_SET_CHILD_SUBREAPER, 1) == 0


def reap_orphans() -> None:
    """Let go of adopted processes that have ended. Only for a process that waits for no other child just now."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def thread_count() -> int:
    """Of this process, native ones too."""
    return len(list(TASKS.iterdir()))


def _prctl(option: int, value: int) -> int:
    prctl: Any = ctypes.CDLL(None, use_errno=True).prctl
    return int(prctl(option, value, 0, 0, 0))
