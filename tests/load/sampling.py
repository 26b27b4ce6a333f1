"""What a long run is watched by: memory, descriptors and threads of every process, rows and bytes of the database."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class ProcessSample:
    """`pss` counts a page that n processes share as 1/n: bytes."""

    rss: int
    pss: int
    fds: int
    threads: int


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds since the watch began."""
    processes: dict[str, ProcessSample]
    """By name and pid: a process that was replaced is another one."""
    rows: dict[str, int]
    sizes: dict[str, int]
    """Bytes: of the database's files, or as the server says."""


class Watch(threading.Thread):
    """Samples until it is told to stop."""

    def __init__(self, family: Callable[[], dict[int, str]], database_url: str) -> None:
        super().__init__(name="watch", daemon=True)
        self.samples: list[Sample] = []
        self._family, self._database_url = family, database_url
        self._ended = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        while True:
            self.samples.append(self._sample(time.monotonic() - began))
            if self._ended.wait(EVERY_SECONDS):
                return

    def end(self) -> list[Sample]:
        self._ended.set()
        self.join()
        return self.samples

    def _sample(self, at: float) -> Sample:
        seen = {f"{name} ({pid})": look_at(pid) for pid, name in self._family().items()}
        rows, sizes = measure_database(self._database_url)
        return Sample(at, {name: sample for name, sample in seen.items() if sample}, rows, sizes)


def look_at(pid: int) -> ProcessSample | None:
    """None: it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        memory = _numbers(folder / "smaps_rollup")
        status = _numbers(folder / "status")
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
        return ProcessSample(memory["Rss"] * 1024, memory["Pss"] * 1024, descriptors, status["Threads"])
    except (OSError, KeyError):
        return None


def measure_database(url: str) -> tuple[dict[str, int], dict[str, int]]:
    """Rows of every table, and bytes."""
    if url.startswith("sqlite:///"):
        return _measure_sqlite(Path(url.removeprefix("sqlite:///")))
    return _measure_postgres(url.replace("+psycopg", ""))


def _measure_sqlite(file: Path) -> tuple[dict[str, int], dict[str, int]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        query = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        names = [name for (name,) in connection.execute(query)]
        rows = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}
    files = {"database": file, "write-ahead log": file.with_name(f"{file.name}-wal")}
    return rows, {name: path.stat().st_size for name, path in files.items() if path.exists()}


def _measure_postgres(url: str) -> tuple[dict[str, int], dict[str, int]]:
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute("select tablename from pg_tables where schemaname = 'public'")]
        rows = {name: _one(connection, f'select count(*) from "{name}"') for name in names}
        return rows, {"database": _one(connection, "select pg_database_size(current_database())")}


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
