"""Writing files so that a reader, or a crash, never meets half of one."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

CHUNK = 1 << 20
YOUNG_SECONDS = 60.0
"""A scratch folder that is younger may not be locked yet."""


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
    _make_folder(folder)
    path = folder / f".staged-{os.getpid()}-{uuid.uuid4().hex}"
    try:
        with path.open("xb") as out:
            yield path, out
    finally:
        path.unlink(missing_ok=True)


def publish(out: BinaryIO, staged_path: Path, target: Path) -> None:
    """Give a staged file its final name: all of it is on disk before the name is, and the name before this returns."""
    out.flush()
    os.fsync(out.fileno())
    _make_folder(target.parent)
    staged_path.chmod(0o400)
    staged_path.replace(target)
    flush_to_disk(target.parent)


def _make_folder(folder: Path) -> None:
    """And each that leads to it, with their names on disk."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_to_disk(folder.parent)


def flush_to_disk(path: Path) -> None:
    """A file's bytes, or the names in a folder: a file that was flushed may still lose its name with the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        _flush_tree(temporary)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        flush_to_disk(path)


def discard_staged(folder: Path, older_than: float = 0.0) -> None:
    """Remove what killed processes left behind: what nobody has written to for so many seconds.

    Without an age only the holder of the folder's lock may say that it is left behind.
    """
    for left in folder.glob(".staged-*"):
        with contextlib.suppress(OSError):  # another process was faster
            if time.time() - left.stat().st_mtime < older_than:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[None]:
    """An empty folder for as long as the block lasts, held so that `sweep_scratch` leaves it alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: then nobody sweeps there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep_scratch(parent: Path) -> None:
    """Remove the scratch folders of killed processes: a folder that nobody holds."""
    for folder in parent.glob("*"):
        with contextlib.suppress(OSError):  # held, or gone
            if time.time() - folder.stat().st_mtime >= YOUNG_SECONDS:
                _remove_unless_held(folder)


def _remove_unless_held(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; a killed holder lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
