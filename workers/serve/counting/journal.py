"""The journal of a boot: whatever its control plane may still have to be told of it, should it be killed."""

import json
import logging
import os
from collections import defaultdict
from pathlib import Path
from uuid import UUID

from schemas.serving import UnitEnd
from workers.serve.counting.second import Arrival

logger = logging.getLogger(__name__)

COMPACT_AT = 4 * 2**20
"""Bytes; what the control plane has been told of is forgotten then."""


class Journal:
    """One append per arrival, per end and per second, by `write` to the page cache and without `fsync`.

    That survives SIGKILL, an OOM kill and a segmentation fault of this process: all that a canary can do to its
    gateway. Only the machine's own crash loses it, for which no canary is to blame; a `fsync` per request would
    cost milliseconds. When the disk refuses, `healthy` turns false and the gateway stops giving the canary weight.

    Its lines: `{"boot": …}` first; `[number, second, generation, weight, arm, key hash]` of an arrival and
    `[number, end]` of its end; an `Observation` when its second is sealed, before it is sent for the first time; and
    `{"settled": second}` when the control plane has taken or refused every second up to that one.
    """

    def __init__(self, path: Path, boot: UUID, compact_at: int = COMPACT_AT) -> None:
        self._path, self._boot, self._least = path, boot, compact_at
        self._units: defaultdict[int, list[bytes]] = defaultdict(list)
        self._open: dict[int, int] = {}
        self._sealed: dict[int, bytes] = {}
        self._next = 0
        self._torn = False
        self._fd: int | None = None
        """None: no file could be made yet."""
        self.healthy = True
        self._compact()

    def start(self, arrival: Arrival) -> int:
        number, self._next = self._next, self._next + 1
        self._open[number] = arrival.second
        fields = [number, arrival.second, arrival.generation, arrival.weight, arrival.arm, arrival.key_hash]
        line = _line(fields)
        self._units[arrival.second].append(line)
        self._write(line)
        return number

    def end(self, number: int, end: UnitEnd) -> None:
        line = _line([number, end])
        if (second := self._open.pop(number, None)) is not None:
            self._units[second].append(line)
        self._write(line)

    def seal(self, second: int, observation: str) -> None:
        """All units of this second have ended, and this is what will be told of them, byte for byte."""
        self._units.pop(second, None)
        self._sealed[second] = observation.encode() + b"\n"
        self._write(self._sealed[second])
        self._compact_if_large()

    def settle(self, second: int) -> None:
        """The control plane has taken or refused this second, and all before it."""
        self._sealed.pop(second, None)  # those before it have been settled in their turn
        self._write(_line({"settled": second}))
        self._compact_if_large()

    def forget(self, second: int) -> None:
        """It will not be told by this boot, who has too many to tell; a compaction takes it from the file."""
        self._sealed.pop(second, None)

    @property
    def empty(self) -> bool:
        """Every unit that arrived has ended, and the control plane knows how."""
        return not self._units and not self._sealed

    def close(self) -> None:
        """The boot ended by itself. What remains to be told stays on disk for the next boot."""
        if self._fd is not None:
            os.close(self._fd)
        if self.empty:
            self._path.unlink(missing_ok=True)

    def _create(self, path: Path) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        units = [line for lines in self._units.values() for line in lines]
        content = b"".join([_line({"boot": str(self._boot)}), *self._sealed.values(), *units])
        try:
            if os.write(fd, content) < len(content):
                raise OSError("written in part")
        except OSError:
            os.close(fd)  # tried again and again: a full disk must not use up the descriptors as well
            raise
        self._size = len(content)
        self._compact_at = max(self._least, 2 * self._size)  # what remains is not written anew at every second
        return fd

    def _write(self, line: bytes) -> None:
        """A line after one that the disk took in part begins anew, so that only that one is lost."""
        if self._fd is None:
            self._compact()  # with this line in it, which is kept already
            return
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            logger.debug("journal %s: %s", self._path, error)
            self._mark(False)
            return
        self._size += written
        self._torn = written < len(data)
        self._mark(not self._torn)

    def _compact_if_large(self) -> None:
        if self._fd is not None and self._size > self._compact_at:
            self._compact()

    def _compact(self) -> None:
        """Makes the file, or makes it anew with what remains to be told."""
        fresh = self._path.with_suffix(".compacting")
        try:
            fd = self._create(fresh)
            os.replace(fresh, self._path)
        except OSError as error:
            logger.debug("journal %s: %s", self._path, error)
            self._mark(False)
            return
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._torn = fd, False
        self._mark(True)

    def _mark(self, healthy: bool) -> None:
        if healthy != self.healthy:
            logger.warning("journal %s %s", self._path, "is written again" if healthy else "cannot be written")
        self.healthy = healthy


def _line(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
