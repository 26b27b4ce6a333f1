"""Writes docs/reference.md's tables from the code: `python -m deploy.reference_tables`.

It stands outside the packages, because no package may know both the control plane and the workers.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic_core import PydanticUndefined

from controlplane.domain.roles import INCLUDES, MAY
from controlplane.settings import Settings
from schemas.docstrings import fields_of
from schemas.events import EVENTS
from schemas.marked import with_part
from schemas.processes.environment import Environment
from schemas.topics import topic_of
from workers.runtime.settings import WorkerSettings
from workers.serve.settings import GatewaySettings

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "reference.md"
READERS: Final[dict[str, type[Environment]]] = {
    "control plane": Settings,
    "worker": WorkerSettings,
    "gateway": GatewaySettings,
}
ON_THE_LINE: Final = {("gateway", name) for name in ("deployment", "name", "host", "port")}
"""Options of `graftwork serve`, never read from the environment."""


def settings_table() -> str:
    """One line a variable; a process other than these reads none."""
    lines = ["| variable | default | read by | means |", "|---|---|---|---|"]
    for field in dict.fromkeys(name for cls in READERS.values() for name in cls.model_fields):
        readers = [who for who, cls in READERS.items() if field in cls.model_fields and (who, field) not in ON_THE_LINE]
        if readers:
            default = next(filter(None, (_default(READERS[who], field) for who in readers)), "")
            words = next(filter(None, (_words(fields_of(READERS[who]).get(field)) for who in readers)), "")
            lines.append(f"| `GRAFTWORK_{field.upper()}` | {default} | {', '.join(readers)} | {words} |")
    return "\n".join(lines)


def events_table() -> str:
    lines = ["| event | topic | when it is true |", "|---|---|---|"]
    lines += [f"| `{event.TYPE}` | `{topic_of(event.TYPE)}` | {_words(event.__doc__)} |" for event in EVENTS]
    return "\n".join(lines)


def roles_table() -> str:
    lines = ["| role | may | and what these may |", "|---|---|---|"]
    for role, words in MAY.items():
        others = ", ".join(other for other in MAY if other in INCLUDES[role] and other != role)
        lines.append(f"| `{role}` | {words} | {others} |")
    return "\n".join(lines)


TABLES: Final = {"roles": roles_table, "settings": settings_table, "events": events_table}


def with_tables(text: str) -> str:
    """The document with its tables up to date."""
    for name, table in TABLES.items():
        text = with_part(text, name, table())
    return text


def _default(cls: type[Environment], field: str) -> str:
    default = cls.model_fields[field].default
    if default is None or default is PydanticUndefined or default == ():
        return ""
    return f"`{','.join(default)}`" if isinstance(default, tuple) else f"`{default}`"


def _words(docstring: str | None) -> str:
    return " ".join(_escaped((docstring or "").split()))


def _escaped(words: Iterable[str]) -> Iterable[str]:
    return (word.replace("|", "\\|") for word in words)


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
