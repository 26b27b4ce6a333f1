"""Who was flushed to the disk, and what had its name by then: a loss of power cannot be had, what it would lose can."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Flush:
    """One `fsync`: of which file or folder, with how many bytes, and whether the target had its name by then."""

    inode: int
    size: int
    named: bool


@dataclass
class Disk:
    """Every `fsync` while files get names below a folder; the system's own still runs."""

    target: Path
    flushes: list[Flush] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._above = next(folder for folder in self.target.parents if folder.exists())

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fsync = os.fsync

        def flush(descriptor: int) -> None:
            fsync(descriptor)
            found = os.fstat(descriptor)
            self.flushes.append(Flush(found.st_ino, found.st_size, self.target.exists()))

        monkeypatch.setattr(os, "fsync", flush)

    def holds_bytes_before_the_name(self, file: Path) -> bool:
        """All of the file was on disk when the target had no name yet."""
        status = file.stat()
        return Flush(status.st_ino, status.st_size, named=False) in self.flushes

    def holds_name(self) -> bool:
        """The target's folder was flushed after the target got its name."""
        folder = self.target.parent.stat().st_ino
        return any(flush.inode == folder and flush.named for flush in self.flushes)

    def holds_the_way(self) -> bool:
        """So was each folder that leads there, up to the first that was there before."""
        flushed = {flush.inode for flush in self.flushes}
        made = [folder for folder in self.target.parents if folder.is_relative_to(self._above)]
        return all(folder.stat().st_ino in flushed for folder in made)
