"""Which machine a number was measured on, and whether anything else was running there."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

PACKAGES: Final = ("fastapi", "kafka-python", "psycopg", "pydantic", "sqlalchemy", "uvicorn")
IDLE_LOAD: Final = 0.5
"""Running processes a core; above it, others take part of the time that is measured."""


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
    """When a measurement began or ended, and how busy the machine was."""

    at: str
    load: float
    """Average number of running processes over the last minute."""


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
    return Moment(datetime.now(UTC).isoformat(timespec="seconds"), round(os.getloadavg()[0], 2))


def is_busy(moment: Moment) -> bool:
    return moment.load > IDLE_LOAD * len(os.sched_getaffinity(0))


def commit() -> str:
    """What was measured; `+` when the working tree differs from the commit."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


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
