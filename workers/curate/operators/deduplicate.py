"""Exact deduplication on the normal form: one row per text, and none of a text whose labels disagree."""

from collections.abc import Iterable, Mapping

from workers.curate.rows import Reject, Row, reject


def deduplicate(rows: Iterable[Row], held: Mapping[str, str] | None = None) -> tuple[list[Row], list[Reject]]:
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
            rejects.extend(reject(row, "conflicting_label") for row in equals)
            continue
        equals.sort(key=lambda row: (row.text, row.group or ""))
        if key not in held:
            kept.append(equals.pop(0))
        rejects.extend(reject(row, "duplicate") for row in equals)
    return kept, rejects
