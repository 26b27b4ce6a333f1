"""What an operator is: rows and its settings in, the rows that are kept and those that are not out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from schemas.artifacts import Split
from schemas.data.operators import OperatorSettings
from workers.curate.rows import Reject
from workers.data.rows import Row

Outcome = tuple[list[Row], list[Reject]]


@dataclass(frozen=True)
class Given:
    """What a cross-record operator is given beside the rows: the spec's seed, and what is in the dataset already."""

    seed: int = 0
    labels: Sequence[str] = ()
    """Every label of the dataset, in its order."""
    label_of: Mapping[str, str | None] = field(default_factory=dict)
    """The label of each key that the parent version holds."""
    split_of: Mapping[str, Split] = field(default_factory=dict)
    """The split of each unit that the parent version holds."""


Apply = Callable[[Sequence[Row], Any, Given], Outcome]


def each(judge: Callable[[Any, Any], Row | str]) -> Apply:
    """A record-local operator, by what it makes of one row: the row or another, or the reason to reject it."""

    def apply(rows: Iterable[Row], settings: OperatorSettings, given: Given) -> Outcome:
        kept: list[Row] = []
        rejects: list[Reject] = []
        for row in rows:
            found = judge(row, settings)
            if isinstance(found, str):
                rejects.append(Reject.of(row, settings.op, found))
            else:
                kept.append(found)
        return kept, rejects

    return apply


def implementation(settings: OperatorSettings) -> Apply:
    """By the rule that `schemas/data/operators.py` states; both names come from a closed list, never from a person."""
    module = import_module(f"workers.curate.operators.{settings.FAMILY}.{settings.op}")
    apply: Apply = module.apply
    return apply
