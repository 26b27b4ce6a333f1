"""What the handler and the attack's process say to each other, as JSON files and lines."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.jobs.attack import AttackRecipe

Outcome = Literal["succeeded", "failed", "out of budget", "skipped"]
"""`failed`: nothing was left to try; `out of budget`: something was, but no query; `skipped`: the answer was wrong
before any attack."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabeledText(_Message):
    text: str
    label: str


class Task(_Message):
    """Everything that the process needs; paths are local files."""

    base_graph: str
    adapter: str
    tokenizer: str
    max_length: int
    labels: tuple[str, ...]
    recipe: AttackRecipe
    queries_per_word: int
    query_budget: int | None
    seed: int
    rows: tuple[LabeledText, ...]


class Example(_Message):
    """What became of one row."""

    outcome: Outcome
    text: str
    label: str
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
