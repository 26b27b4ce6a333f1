"""Processes that do not outlive the one that started them."""

import ctypes
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded before anybody forks: between fork and exec nothing may be."""


def die_with_parent(number: signal.Signals) -> None:
    """This signal when the parent ends, also while native code holds the interpreter's lock; elsewhere, nothing."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
