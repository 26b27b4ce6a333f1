"""The arrivals journal: which units a killed gateway had accepted and never ended."""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from schemas.serving import Arm, ArmCounts, GenerationSecond, LostUnits, Observation, SessionUnit

logger = logging.getLogger(__name__)

COMPACT_AT = 4 * 2**20
"""Bytes; the open units are rewritten then, ended ones forgotten."""


@dataclass(frozen=True)
class Arrival:
    """One unit as it arrived: its second, generation, weight applied, arm, and in session mode its key's hash."""

    second: int
    generation: int
    weight: float
    arm: Arm
    key_hash: str | None = None


class Journal:
    """One append per arrival and one per end, by `write` to the page cache and without `fsync`.

    That survives SIGKILL, an OOM kill and a segmentation fault of this process: all that a canary can do to its
    gateway. Only the machine's own crash loses it, for which no canary is to blame; a `fsync` per request would
    cost milliseconds. When the disk refuses, `healthy` turns false and the gateway stops giving the canary weight.
    """

    def __init__(self, path: Path, boot: UUID, compact_at: int = COMPACT_AT) -> None:
        self._path, self._boot, self._compact_at = path, boot, compact_at
        self._open: dict[int, bytes] = {}
        self._next = 0
        self.healthy = True
        self._fd = self._create(path)

    def start(self, arrival: Arrival) -> int:
        number, self._next = self._next, self._next + 1
        fields = [number, arrival.second, arrival.generation, arrival.weight, arrival.arm, arrival.key_hash]
        self._open[number] = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        self._append(self._open[number])
        return number

    def end(self, number: int) -> None:
        self._open.pop(number, None)
        self._append(b"%d\n" % number)
        if self._size > self._compact_at:
            self._compact()

    @property
    def empty(self) -> bool:
        """Every unit that arrived has ended."""
        return not self._open

    def close(self) -> None:
        """The boot ended by itself. What is still open stays on disk for the next boot."""
        os.close(self._fd)
        if not self._open:
            self._path.unlink(missing_ok=True)

    def _create(self, path: Path) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        header = json.dumps({"boot": str(self._boot)}).encode() + b"\n"
        lines = b"".join([header, *self._open.values()])
        try:
            os.write(fd, lines)
        except OSError:
            os.close(fd)  # tried again at every end: a full disk must not use up the descriptors as well
            raise
        self._size = len(lines)
        return fd

    def _append(self, line: bytes) -> None:
        try:
            self._size += os.write(self._fd, line)
            self._mark(True)
        except OSError as error:
            logger.debug("journal %s: %s", self._path, error)
            self._mark(False)

    def _compact(self) -> None:
        fresh = self._path.with_suffix(".compacting")
        try:
            fd = self._create(fresh)
            os.replace(fresh, self._path)
        except OSError:
            self._mark(False)
            return
        os.close(self._fd)
        self._fd = fd

    def _mark(self, healthy: bool) -> None:
        if healthy != self.healthy:
            logger.warning("journal %s %s", self._path, "is written again" if healthy else "cannot be written")
        self.healthy = healthy


def read_lost_units(path: Path) -> LostUnits | None:
    """What an earlier boot never ended, each an error of its arm; None when the file does not say which boot it was.

    A boot that left nothing open is reported too: the fold need not wait for it.
    """
    lines = path.read_bytes().split(b"\n")
    try:
        boot = UUID(json.loads(lines[0])["boot"])
    except (ValueError, KeyError, TypeError):
        return None
    seconds: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in _never_ended(lines[1:]):
        seconds[arrival.second].append(arrival)
    return LostUnits(boot=boot, seconds=tuple(_observation(boot, s, seconds[s]) for s in sorted(seconds)))


def _never_ended(lines: list[bytes]) -> Iterator[Arrival]:
    started: dict[int, Arrival] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the last line of a killed process may be torn
        if isinstance(record, list):
            started[record[0]] = Arrival(*record[1:])
        else:
            started.pop(record, None)
    yield from started.values()


def _observation(boot: UUID, second: int, arrivals: list[Arrival]) -> Observation:
    grouped: dict[tuple[int, float], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        grouped[arrival.generation, arrival.weight].append(arrival)
    return Observation(
        boot=boot, second=second, generations=tuple(_lost(*key, grouped[key]) for key in sorted(grouped))
    )


def _lost(generation: int, weight: float, arrivals: list[Arrival]) -> GenerationSecond:
    units = {"stable": 0, "canary": 0}
    sessions: dict[str, SessionUnit] = {}
    for arrival in arrivals:
        if arrival.key_hash is None:
            units[arrival.arm] += 1
        else:
            sessions.setdefault(arrival.key_hash, SessionUnit(key_hash=arrival.key_hash, arm=arrival.arm, end="error"))
    return GenerationSecond(
        generation=generation,
        applied_weight=weight,
        stable=ArmCounts(units=units["stable"], error=units["stable"]),
        canary=ArmCounts(units=units["canary"], error=units["canary"]),
        sessions=tuple(sessions.values()),
    )
