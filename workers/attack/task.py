"""What the handler and the attack's process say to each other, as JSON files and lines."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from schemas.data.rows import RowSchemaName
from schemas.jobs.attack import AttackSpec
from schemas.model.identity import ModelIdentity
from workers.graph.files import GraphFiles

Outcome = Literal["succeeded", "failed", "out of budget", "skipped"]
"""`failed`: nothing was left to try; `out of budget`: something was, but no query; `skipped`: the answer was wrong
before any attack."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Message):
    """Everything that the process needs."""

    spec: AttackSpec
    identity: ModelIdentity
    """What the version is whose graph is attacked: the spec's, or the other one beside it."""
    graph: GraphFiles
    row_schema: RowSchemaName
    rows: tuple[tuple[Any, ...], ...]
    """By their canonical values."""
    operators: tuple[dict[str, JsonValue], ...]
    """By which curation made them."""


class Example(_Message):
    """What became of one row."""

    outcome: Outcome
    text: str
    expected: str
    """The row's label, or its completion."""
    answer: str
    perturbed_text: str | None = None
    # None: no attack, or none that succeeded
    perturbed_answer: str | None = None
    queries: int


class Outcomes(_Message):
    network_namespace: bool
    """The kernel took the network away, beside our own refusal."""
    examples: tuple[Example, ...] = ()
    error: str | None = None
    """What went wrong and where, never with a row's text."""


class Step(_Message):
    """One line on the process's standard output."""

    done: int
    succeeded: int
    out_of_budget: int
    queries: int
