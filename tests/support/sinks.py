"""Every place where something that nobody may see could have been left: what each holds, as one text."""

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
from sqlalchemy import inspect, text

from controlplane.store.database import Database
from tests.support.kcat import Kcat
from tests.support.processes import descendants, told_of
from tests.support.unpacked import text_of

Sinks = dict[str, str]
"""By name."""
GETS_OF_ONE: dict[str, tuple[str, ...]] = {
    "/v1/jobs": ("", "/logs", "/curves"),
    "/v1/pipeline-runs": ("",),
    "/v1/rollouts": ("", "/decisions"),
}


def found_in(sinks: Mapping[str, str], planted: Mapping[str, str]) -> list[str]:
    """`<what> in <where>` for all that was planted and is there, also as JSON, a URL or base64 writes it."""
    return sorted(
        f"{what} in {where}"
        for what, secret in planted.items()
        for forms in (_forms(secret),)
        for where, content in sinks.items()
        if any(form in content for form in forms)
    )


def _forms(secret: str) -> set[str]:
    """In base64 a text looks otherwise by where it begins: three ways, without the ends that others share."""
    raw = secret.encode()
    encoded = (base64.b64encode(b"\0" * before + raw).decode().rstrip("=") for before in range(3))
    middles = {text[(0, 2, 3)[before] : -1] for before, text in enumerate(encoded)}
    return {secret, raw.decode("latin-1"), json.dumps(secret)[1:-1], quote(secret, safe=""), *middles}


def tables(database: Database, told: Mapping[str, str] | None = None) -> Sinks:
    """Every column of every table, bytes as text too. By `table.column`, `told` is the value that one is there to hold:
    exactly that is left out, and what else is in the column stays."""
    with database.read() as session:
        connection = session.connection()
        names = inspect(connection).get_table_names()
        assert len(names) > 10
        found: dict[str, list[str]] = defaultdict(list)
        for table in names:
            for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings():
                for column, value in row.items():
                    place = f"{table}.{column}"
                    if (shown := _as_text(value)) != (told or {}).get(place):
                        found[f"table {place}"].append(shown)
    return {place: "\n".join(values) for place, values in found.items()}


def topics(kcat: Kcat) -> Sinks:
    """Keys, headers and values of every record of every topic."""
    return {f"topic {name}": kcat.raw(name) for name in kcat.topics() if not name.startswith("__")}


def without_value(topic: str, value: str) -> str:
    """A topic's records, but for a value that is exactly this one: its keys and headers stay, whatever they hold."""
    return "\n".join(line.removesuffix(f"\t{value}") for line in topic.split("\n"))


def files(folder: Path) -> Sinks:
    """Logs, journals, caches, settings and artifacts, with what is packed in them."""
    return {
        f"file {path.relative_to(folder)}": text_of(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def answers(api: httpx.Client) -> Sinks:
    """What the API answers for every list that it has, and for each job, run and rollout."""
    paths: Mapping[str, Mapping[str, Any]] = api.get("/openapi.json").raise_for_status().json()["paths"]
    found = {}
    for path in (one for one, methods in paths.items() if "get" in methods and "{" not in one):
        answer = api.get(path).raise_for_status()
        found[f"GET {path}"] = answer.text
        for item in answer.json()["items"] if path in GETS_OF_ONE else ():
            for more in GETS_OF_ONE[path]:
                found[f"GET {path}/{item['id']}{more}"] = api.get(f"{path}/{item['id']}{more}").raise_for_status().text
    return found


class ProcessWatch(threading.Thread):
    """What all that these processes start meanwhile is given by command line and by environment."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._pids = pids
        self._over = threading.Event()
        self.told: Sinks = {}

    def run(self) -> None:
        programs = {pid: told_of(pid, "cmdline") for pid in self._pids}
        while not self._over.wait(0.1):
            for pid, parent in [(below, one) for one in self._pids for below in descendants(one)]:
                if (
                    self.told.get(f"cmdline of {pid}")
                    == programs[parent]
                    != (told_of(pid, "cmdline") or programs[parent])
                ):
                    # It was seen between fork and exec: what it showed was its parent's memory.
                    del self.told[f"cmdline of {pid}"], self.told[f"environ of {pid}"]
                for file in ("cmdline", "environ"):
                    name, content = f"{file} of {pid}", told_of(pid, file)
                    known = self.told.setdefault(name, content)
                    if content not in known:
                        self.told[name] = f"{known}\n{content}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def _as_text(value: object) -> str:
    return text_of(bytes(value)) if isinstance(value, bytes | memoryview) else str(value)
