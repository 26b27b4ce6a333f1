"""Which machine a number was measured on, and whether anything else was running there."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

PACKAGES: Final = ("fastapi", "kafka-python", "psycopg", "pydantic", "sqlalchemy", "uvicorn")
LOOK_SECONDS: Final = 2.0
IDLE: Final = 0.15
"""Share of the machine; above it, others take part of the time that is measured. (A load average would still tell of
the benchmark before.)"""


@dataclass(frozen=True)
class Host:
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    versions: dict[str, str]

    @property
    def slug(self) -> str:
        """Names the results' file."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.cpu} {self.cores} cores".lower()).strip("-")

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, Linux {self.kernel}, Python {self.python}; "
            + ", ".join(f"{name} {number}" for name, number in self.versions.items())
        )


@dataclass(frozen=True)
class Moment:
    """When a measurement began or ended, and how busy the machine was then, while nothing of the measurement ran."""

    at: str
    used: float
    """Share of all cores' time, with what other machines took from them, just before a beginning or after an end."""


def this_host() -> Host:
    return Host(
        cpu=_field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 2**20, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        versions={name: version(name) for name in PACKAGES} | dict(_programs()),
    )


def this_moment() -> Moment:
    used, total = _processor_time()
    time.sleep(LOOK_SECONDS)
    used_since, total_since = _processor_time()
    share = (used_since - used) / max(1, total_since - total)
    return Moment(datetime.now(UTC).isoformat(timespec="seconds"), round(share, 2))


def is_busy(moment: Moment) -> bool:
    return moment.used > IDLE


def commit() -> str:
    """What was measured; `+` when the working tree differs from the commit."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _processor_time() -> tuple[int, int]:
    """Ticks that all cores worked, and all ticks; see proc_stat(5)."""
    user, nice, system, idle, waiting, *rest = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    used = user + nice + system + sum(rest)
    return used, used + idle + waiting


def _field(file: str, name: str) -> str | None:
    lines = Path(file).read_text().splitlines() if sys.platform == "linux" else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _programs() -> Iterable[tuple[str, str]]:
    """Servers that we measure against or with, as they name themselves."""
    jars = sorted((ROOT / "deploy" / "kafka" / "libs").glob("kafka_2*.jar"))
    if jars:
        yield "Apache Kafka", jars[-1].stem.rpartition("-")[2]
    for binary in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))[-1:]:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
        yield "PostgreSQL", (re.findall(r"[\d.]+", said) or ["unknown"])[0]
