"""Keeps a token, or anything that others read while it is written, in a file of its owner's."""

import os
from pathlib import Path
from tempfile import mkstemp


def write_private(file: Path, text: str) -> None:
    """Mode 0600 from the first byte on, and whole or not at all: a reader has the old text or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(prefix=file.name, dir=file.parent)  # mkstemp creates it with 0600
    try:
        with open(handle, "w") as opened:
            opened.write(text + "\n")
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
