"""A file of one's own as a source of rows: a copy named by its content, which nobody changes under a waiting job."""

import hashlib
import os
from pathlib import Path
from tempfile import mkstemp
from typing import IO, Final

CHUNK: Final = 1 << 20


def keep_copy(file: Path, folder: Path) -> str:
    """The URI of a copy in `folder`, with the SHA-256 that whoever reads it checks.

    The same bytes are kept once. The copy is its owner's alone, and whole or not there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    handle, name = mkstemp(prefix=".staged-", dir=folder)  # with mode 0600
    staged = Path(name)
    try:
        with open(handle, "wb") as out, file.open("rb") as data:
            digest = _copy(data, out)
            out.flush()
            os.fsync(out.fileno())
        staged.chmod(0o400)
        # Also over a copy that is there: a damaged one is repaired, an intact one replaced by its equal.
        copy = staged.replace(folder / f"{digest}{file.suffix.lower()}")
        _flush_names(folder)
    finally:
        staged.unlink(missing_ok=True)
    return f"{copy.absolute().as_uri()}#sha256={digest}"


def _flush_names(folder: Path) -> None:
    """The copy keeps its name when the power goes: a job that names it is about to be stored."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(data: IO[bytes], out: IO[bytes]) -> str:
    sha256 = hashlib.sha256()
    while chunk := data.read(CHUNK):
        sha256.update(chunk)
        out.write(chunk)
    return sha256.hexdigest()
