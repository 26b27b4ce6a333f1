"""What Linux alone can do for processes: adopt orphans, count threads."""

import contextlib
import os
from pathlib import Path
from typing import Final

from processes.parent import LIBC

PR_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
TASKS: Final = Path("/proc/self/task")


def adopt_orphans() -> bool:
    """Processes whose parent ends become children of this one; False where the system cannot."""
    return LIBC is not None and hasattr(os, "pidfd_open") and LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def reap_orphans() -> None:
    """Let go of adopted processes that have ended. Only for a process that waits for no other child just now."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def thread_count() -> int:
    """How many threads this process has, native ones too."""
    return len(list(TASKS.iterdir()))
