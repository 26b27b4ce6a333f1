"""Exact deduplication on the normal form: one row per text, and none of a text whose labels disagree."""

from collections.abc import Iterable, Mapping, Sequence

from schemas.data.operators import Deduplicate
from workers.curate.operators.operator import Given, Outcome
from workers.curate.rows import Reject
from workers.data.rows import Row


def apply(rows: Sequence[Row], settings: Deduplicate, given: Given) -> Outcome:
    return deduplicate(rows, given.label_of if settings.within == "dataset" else None)


def deduplicate(rows: Iterable[Row], held: Mapping[str, str | None] | None = None) -> Outcome:
    """`held` maps the keys of rows that are already in the dataset to their labels: those rows win.

    Which of several equal rows stays does not depend on their order: the first by text, then by group.
    """
    held = held or {}
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    kept: list[Row] = []
    rejects: list[Reject] = []
    for key, equals in by_key.items():
        labels = {row.label for row in equals} | ({held[key]} if key in held else set())
        if len(labels) > 1:
            rejects.extend(Reject.of(row, "deduplicate", "conflicting_label") for row in equals)
            continue
        equals.sort(key=lambda row: (row.text, row.group or ""))
        if key not in held:
            kept.append(equals.pop(0))
        rejects.extend(Reject.of(row, "deduplicate", "duplicate") for row in equals)
    return kept, rejects
