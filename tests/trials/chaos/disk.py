"""A small file system of its own for the artifact store, which can be filled to its last byte and freed."""

import errno
import os
import subprocess
from pathlib import Path

MEGABYTES = 256
BLOCK = b"\0" * (1 << 20)


class SmallDisk:
    """A tmpfs when root may mount one; else the folder is an ordinary one, and `can_fill` says why it is not filled."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._ballast = folder / "ballast"
        self.reason = self._mount()

    @property
    def can_fill(self) -> bool:
        return self.reason is None

    def fill(self) -> None:
        """Until the file system says that it is full."""
        with self._ballast.open("ab", buffering=0) as out:
            for block in (BLOCK, BLOCK[:4096], b"\0"):
                _write_until_full(out.fileno(), block)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.can_fill:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)

    def _mount(self) -> str | None:
        if os.geteuid() != 0:
            return "only root can mount a small file system"
        options = f"size={MEGABYTES}m,mode=0777"
        command = ["mount", "-t", "tmpfs", "-o", options, "graftwork-chaos", str(self.folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else None


def _write_until_full(descriptor: int, block: bytes) -> None:
    try:
        while os.write(descriptor, block):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
