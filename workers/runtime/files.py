"""Writing files so that a reader, or a crash, never meets half of one."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

CHUNK = 1 << 20


class HashingWriter:
    """Writes through to a file and knows the digest and the size of what went through."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self.size += len(data)
        return self._out.write(data)

    @property
    def digest(self) -> str:
        return "sha256:" + self._sha256.hexdigest()


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A temporary file in `folder`: move it to its name inside the block, or it is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".staged-{os.getpid()}-{uuid.uuid4().hex}"
    try:
        with path.open("xb") as out:
            yield path, out
    finally:
        path.unlink(missing_ok=True)


def publish(out: BinaryIO, staged_path: Path, target: Path) -> None:
    """Give a staged file its final name: all of it is on disk before the name is."""
    out.flush()
    os.fsync(out.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    staged_path.chmod(0o444)
    staged_path.replace(target)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def publish_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that gets the name `target` when the block ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".staged-{os.getpid()}-{uuid.uuid4().hex}"
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def discard_staged(folder: Path) -> None:
    """Remove what killed processes left behind. Only the holder of the folder's lock may say that it is left behind."""
    for left in folder.glob(".staged-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; a killed holder lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
