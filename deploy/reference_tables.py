"""Writes the tables of docs/reference.md, and docs/fields.md whole, from the code: `python -m deploy.reference_tables`.

It stands outside the packages, because no package may know both the control plane and the workers.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic_core import PydanticUndefined

from controlplane.domain.roles import INCLUDES, MAY
from controlplane.settings import Settings
from processes.environment import Environment
from schemas.docstrings import fields_of
from schemas.facts import EVENTS
from schemas.jobs import SPECS
from schemas.marked import with_part
from schemas.metrics import METRICS
from schemas.pipelines import PipelineSpec, TriggerSpec
from schemas.reference import FieldRow, rows
from schemas.rollouts import DeploymentSpec, RollbackRequest, RolloutRequest
from schemas.topics import topic_of
from workers.runtime.settings import WorkerSettings
from workers.serve.settings import GatewaySettings

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "reference.md"
FIELDS: Final = DOCUMENT.with_name("fields.md")
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


def measured_table() -> str:
    lines = [
        "| metric | measured by | is | better when | apart for each | compared with the champion by |",
        "|---" * 6 + "|",
    ]
    for name, metric in METRICS.items():
        better = "higher" if metric.direction == "maximize" else "lower"
        cells = (f"`{name}`", f"`{metric.kind}`", metric.words, better, metric.sliced_by or "", metric.paired or "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def roles_table() -> str:
    lines = ["| role | may | and what these may |", "|---|---|---|"]
    for role, words in MAY.items():
        others = ", ".join(other for other in MAY if other in INCLUDES[role] and other != role)
        lines.append(f"| `{role}` | {words} | {others} |")
    return "\n".join(lines)


FIELDS_COLUMNS: Final = "| field | type | default | unit | range | means |"
FIELDS_HEAD: Final = """# Every field

Every document that a person writes, field by field: `graftwork job spec KIND`, `graftwork pipeline spec`,
`graftwork trigger spec` and `graftwork deployment spec` show the same, and with `--example` a document to start from.
`[]` is each item of a list, `[wrong]` each of that choice, `<name>` each name of an object; in parentheses stands the
choice that a field is of. This page is written by `make generate`."""
TABLES: Final = {"roles": roles_table, "measured": measured_table, "settings": settings_table, "events": events_table}


def with_tables(text: str) -> str:
    """The document with its tables up to date."""
    for name, table in TABLES.items():
        text = with_part(text, name, table())
    return text


def fields_document() -> str:
    """Every field of every document that a person writes."""
    documents = {
        **{f"A {kind} job's spec": spec for kind, spec in SPECS.items()},
        "A pipeline": PipelineSpec,
        "A trigger": TriggerSpec,
        "A deployment and its policy": DeploymentSpec,
        "A rollout": RolloutRequest,
        "A rollback": RollbackRequest,
    }
    parts = [FIELDS_HEAD]
    for title, model in documents.items():
        lines = [f"## {title}", "", _words(model.__doc__), "", FIELDS_COLUMNS, "|---|---|---|---|---|---|"]
        parts.append("\n".join([*lines, *(_field_line(row) for row in rows(model))]))
    return "\n\n".join(parts) + "\n"


def _field_line(row: FieldRow) -> str:
    default = row.default if row.default == "required" else f"`{row.default}`"
    example = f" Example: `{row.example}`." if row.example else ""
    cells = (f"`{row.path}`", row.type, default, row.unit, row.range, row.meaning + example)
    return "| " + " | ".join(_words(cell) for cell in cells) + " |"


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
    FIELDS.write_text(fields_document())
