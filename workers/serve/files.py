"""What a gateway keeps on disk: its lock, the last generations and the journals of its boots."""

import fcntl
import logging
import os
from pathlib import Path
from uuid import UUID

from pydantic import ValidationError

from schemas.serving import Generation
from workers.runtime.files import flush_to_disk

logger = logging.getLogger(__name__)


class GatewayBusy(Exception):
    """Another process serves under this gateway's name and home."""


class GatewayFiles:
    """One gateway's own folder (0700); the lock keeps a second process from reading a live journal as a dead one."""

    def __init__(self, home: Path, deployment: str, gateway: str) -> None:
        self.folder = home / "gateways" / deployment / gateway
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise GatewayBusy(f"gateway {gateway!r} of {deployment!r} already runs from {self.folder}") from error

    def close(self) -> None:
        os.close(self._lock)

    def journal(self, boot: UUID) -> Path:
        return self.folder / f"{boot}.journal"

    def earlier_journals(self, boot: UUID) -> list[Path]:
        """Ordinary files: what else has such a name is not ours."""
        found = sorted(path for path in self.folder.glob("*.journal") if path != self.journal(boot))
        return [path for path in found if path.is_file() and not path.is_symlink()]

    def keep(self, name: str, generation: Generation) -> None:
        """Replace the file in one step, readable by its owner only: it holds the signing key."""
        try:
            self._write(self.folder / f"{name}.json", generation.model_dump_json().encode())
        except OSError as error:
            # serving goes on from memory; only a restart without a control plane would miss it
            logger.error("cannot keep generation %d on disk: %s", generation.generation, error)

    def kept(self, name: str) -> Generation | None:
        path = self.folder / f"{name}.json"
        try:
            return Generation.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            logger.error("cannot read the generation kept in %s: %s", path, type(error).__name__)
            return None

    def _write(self, path: Path, data: bytes) -> None:
        fresh = path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        flush_to_disk(self.folder)
