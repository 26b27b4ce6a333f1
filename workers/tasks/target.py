"""What an attack asks of a task, and the task's module `target`, which is found by the task's name."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from pydantic import JsonValue

from schemas.jobs.attack import AttackSpec
from schemas.model.identity import ModelIdentity
from workers.data.rows import Row
from workers.graph.files import GraphFiles

Operator = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Reply:
    """What a version makes of one text."""

    answer: str
    is_right: bool
    damage: float
    """How near to a wrong answer it is: of several changed texts of one row, an attack goes on with the greatest."""


class Question(Protocol):
    """One row as a version is asked it."""

    @property
    def text(self) -> str:
        """What an attack may change."""
        ...

    @property
    def tail(self) -> str:
        """What follows the text and is not attacked: the model does not read it, unless changes pull it in."""
        ...

    @property
    def expected(self) -> str:
        """What the row says that the answer is."""
        ...

    @property
    def original(self) -> Reply:
        """The reply to the text as it is."""
        ...

    def ask(self, texts: Sequence[str]) -> Sequence[Reply]:
        """Changed texts, all at once."""
        ...


class Target(Protocol):
    """A version's served graph, opened to be attacked."""

    def questions(self, rows: Sequence[Row], operators: Sequence[Operator]) -> Sequence[Question]:
        """The rows in their order; their originals are asked together.

        `operators`: by which curation made the rows, as the dataset version's manifest says them.
        """
        ...


class TargetModule(Protocol):
    """The module `target` of a task's folder."""

    def check(self, rows: Sequence[Row], spec: AttackSpec, where: str) -> None:
        """JobError: of some rows of `where` the version's answers cannot be right."""
        ...

    def is_answerable(self, row: Row, identity: ModelIdentity) -> bool:
        """Whether such a version's answer can be right."""
        ...

    def open_target(self, graph: GraphFiles, identity: ModelIdentity, spec: AttackSpec) -> Target: ...


def target_module(task: str) -> TargetModule:
    """The union in `schemas.model.tasks` lists them; a task that is not asked for loads nothing."""
    return cast(TargetModule, importlib.import_module(f"workers.tasks.{task.replace('-', '_')}.target"))
