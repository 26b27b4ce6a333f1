"""A folder in memory for data that is thrown away: a server's hundreds of small files are made and removed at once."""

import os
import shutil
from pathlib import Path
from typing import Final

SHARED_MEMORY: Final = Path("/dev/shm")
"""Linux mounts it; a container's may be as small as 64 MB."""
NEEDED: Final = 4 * 2**30
"""Bytes that must be free, so that several servers find room."""


def memory_disk() -> Path | None:
    """Where temporary folders are best made; None where the usual place has to do."""
    if not os.access(SHARED_MEMORY, os.W_OK | os.X_OK) or shutil.disk_usage(SHARED_MEMORY).free < NEEDED:
        return None
    return SHARED_MEMORY
