"""What a process writes is its owner's alone, in whatever folder and under whatever umask it was started."""

import contextlib
import os
from pathlib import Path
from typing import Final

OWNED: Final = (
    "graftwork.db*",
    "*.token",
    "tokens",
    "data",
    "artifacts",
    "cache",
    "logs",
    "work",
    "gateways*",
    "ui-sessions",
)
"""What a home folder holds that is nobody else's, as patterns."""


def keep_private() -> None:
    """From here on files are made with mode 0600 and folders with 0700, by child processes too."""
    os.umask(0o077)


def make_home(home: Path) -> None:
    """The folder, and what stands in it from earlier days, closed to others. The folder itself may be somebody's own:
    one that is there keeps its mode."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for pattern in OWNED:
        for path in home.glob(pattern):
            with contextlib.suppress(OSError):  # gone, or another user's
                path.chmod(0o700 if path.is_dir() else 0o600)
