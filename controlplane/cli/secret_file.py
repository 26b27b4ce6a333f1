"""Keeps a token in a file that only its owner may read."""

import os
from pathlib import Path
from tempfile import mkstemp


def write_secret(file: Path, secret: str) -> None:
    """Mode 0600 from the first byte on, and whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(prefix=file.name, dir=file.parent)  # mkstemp creates it with 0600
    try:
        with open(handle, "w") as opened:
            opened.write(secret + "\n")
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
