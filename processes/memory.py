"""Python's memory in processes that live long and answer quickly."""

import ctypes
import gc
import platform
from typing import Final

M_ARENA_MAX: Final = -8
"""The parameter's number in glibc's malloc.h (`man 3 mallopt`): how many arenas there may be."""
ARENAS: Final = 2


def share_arenas() -> None:
    """Call once, before threads start, in a process of many threads that come and go.

    glibc gives threads heaps of their own, up to eight a core, and what one of them frees the others do not use: the
    API's memory crept upwards for minutes (docs/load.md). Other C libraries have no such heaps: then it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def settle() -> None:
    """Call once, when everything is imported and built: no later collection looks through what is there now.

    A full one did, and the API answered nobody for 130 ms.
    """
    gc.collect()
    gc.freeze()
