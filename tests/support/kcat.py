"""Debian's `kcat`: reads our topics and writes to them as a stranger would, with none of our code."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Record:
    """One record of a topic, as kcat prints it."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: str
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return self.headers["ce_id"]

    @property
    def type(self) -> str:
        return self.headers["ce_type"]

    @property
    def data(self) -> Any:
        return json.loads(self.value)


class Kcat:
    def __init__(self, bootstrap_servers: str) -> None:
        if shutil.which("kcat") is None:
            pytest.skip("NOT RUN: no `kcat` on the path (Debian: apt-get install kcat)")
        self._servers = bootstrap_servers

    def publish(self, topic: str, key: str, headers: Mapping[str, str], value: object) -> None:
        flags = [flag for name, text in headers.items() for flag in ("-H", f"{name}={text}")]
        self._run("-P", "-t", topic, "-k", key, *flags, content=json.dumps(value))

    def read(self, topic: str) -> list[Record]:
        """From its beginning to its present end; each partition in its order."""
        lines = self._run("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J").splitlines()
        return [_record(json.loads(line)) for line in lines]

    def raw(self, topic: str) -> str:
        """All records of a topic, whether or not they are JSON."""
        return self._run("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%k\\t%h\\t%s\\n")

    def publish_raw(self, topic: str, value: str) -> None:
        self._run("-P", "-t", topic, content=value)

    def topics(self) -> set[str]:
        return {topic["topic"] for topic in json.loads(self._run("-L", "-J"))["topics"]}

    def _run(self, mode: str, *arguments: str, content: str = "") -> str:
        argv = ["kcat", "-b", self._servers, mode, *arguments]
        done = subprocess.run(argv, input=content, capture_output=True, text=True, errors="replace", timeout=60)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr[-2000:]}"
        return done.stdout


def _record(found: dict[str, Any]) -> Record:
    pairs = found["headers"]
    return Record(
        found["topic"],
        found["partition"],
        found["offset"],
        found["key"],
        found["payload"],
        dict(zip(pairs[::2], pairs[1::2], strict=True)),
    )
