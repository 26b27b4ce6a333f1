"""What a long run is watched by: memory, descriptors and threads of every process, rows and bytes of the database."""

import itertools
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class ProcessSample:
    """Bytes of memory, and counts."""

    rss: int
    pss: int
    """A page that n processes share counts as 1/n."""
    anonymous: int
    """Pages of no file, swapped out ones too: what was allocated, whatever a child shares and a library maps."""
    fds: int
    threads: int


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds since the watch began."""
    processes: dict[str, ProcessSample]
    """By name and pid: a process that was replaced is another one."""
    rows: dict[str, int]
    """How many rows every table has, and how many jobs there are that retention should remove."""
    sizes: dict[str, int]
    """Bytes: of the database's files, or as the server says."""
    jobs_done: int = 0
    """Jobs that succeeded, since ever."""


MADE_NOTHING = "job that made nothing"
"""Jobs that retention removes (see controlplane/duties/retention.py), beside those that it keeps for good."""
_MADE_NOTHING = "select count(*) from job where phase in ('Failed', 'Cancelled') and run_id is null"
_JOBS_DONE = "select count(*) from job where phase = 'Succeeded'"


class Watch(threading.Thread):
    """Samples until it is told to stop, whatever fails meanwhile: what failed is kept and told, never skipped."""

    def __init__(
        self, family: Callable[[], dict[int, str]], database_url: str, every_seconds: float = EVERY_SECONDS
    ) -> None:
        super().__init__(name="watch", daemon=True)
        self.samples: list[Sample] = []
        self.errors: Counter[str] = Counter()
        self._family, self._database_url, self._every_seconds = family, database_url, every_seconds
        self._ended = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        for number in itertools.count(1):
            try:
                self.samples.append(self._sample(time.monotonic() - began))
            except Exception as error:  # a locked database, a server that is away: the next look may see again
                self.errors[f"{type(error).__name__}: {error}"] += 1
            if self._ended.wait(max(0.0, began + number * self._every_seconds - time.monotonic())):
                return

    def end(self) -> list[Sample]:
        """What was seen; look at `errors` too."""
        self._ended.set()
        self.join()
        return self.samples

    def _sample(self, at: float) -> Sample:
        seen = {f"{name} ({pid})": look_at(pid) for pid, name in self._family().items()}
        rows, sizes, jobs_done = measure_database(self._database_url)
        return Sample(at, {name: sample for name, sample in seen.items() if sample}, rows, sizes, jobs_done)


def look_at(pid: int) -> ProcessSample | None:
    """None: it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        memory = _numbers(folder / "smaps_rollup")
        status = _numbers(folder / "status")
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
        anonymous = memory["Anonymous"] + memory["Swap"]
        return ProcessSample(
            rss=memory["Rss"] * 1024,
            pss=memory["Pss"] * 1024,
            anonymous=anonymous * 1024,
            fds=descriptors,
            threads=status["Threads"],
        )
    except (OSError, KeyError):
        return None


Measured = tuple[dict[str, int], dict[str, int], int]
"""Rows, bytes, jobs done: as in a Sample."""


def measure_database(url: str) -> Measured:
    if url.startswith("sqlite:///"):
        return _measure_sqlite(Path(url.removeprefix("sqlite:///")))
    return _measure_postgres(url.replace("+psycopg", ""))


def _measure_sqlite(file: Path) -> Measured:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        query = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        names = [name for (name,) in connection.execute(query)]
        rows = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}
        rows[MADE_NOTHING] = connection.execute(_MADE_NOTHING).fetchone()[0]
        jobs_done = connection.execute(_JOBS_DONE).fetchone()[0]
    files = {"database": file, "write-ahead log": file.with_name(f"{file.name}-wal")}
    return rows, {name: path.stat().st_size for name, path in files.items() if path.exists()}, jobs_done


def _measure_postgres(url: str) -> Measured:
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")]
        rows = {name: _one(connection, f'select count(*) from "{name}"') for name in names}
        rows[MADE_NOTHING] = _one(connection, _MADE_NOTHING)
        size = _one(connection, "select pg_database_size(current_database())")
        return rows, {"database": size}, _one(connection, _JOBS_DONE)


def _one(connection: psycopg.Connection, query: str) -> int:
    found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return int(found[0])


def _numbers(file: Path) -> dict[str, int]:
    """`Name:  12 kB` lines."""
    found = {}
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found
