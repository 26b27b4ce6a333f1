"""`graftwork deployment | pipeline | trigger history NAME`: a history as people read it."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from controlplane.cli.output import Terminal
from controlplane.cli.table import one_line
from schemas.views.revisions import RevisionView


def show_history(screen: Terminal, revisions: Iterator[RevisionView], limit: int) -> None:
    """Each revision with who applied it, when and why, and every field that it changed."""
    found = list(islice(revisions, limit))
    if screen.as_json:
        screen.print_json(found)
        return
    for one in found:
        why = f" · {one_line(one.reason)}" if one.reason else ""
        screen.write(screen.bold(f"{one.revision} · {one.at:%Y-%m-%d %H:%M:%S} UTC · {one_line(one.actor)}{why}"))
        for line in _changes(one):
            screen.write(f"  {one_line(line)}")


def _changes(one: RevisionView) -> Iterator[str]:
    if one.spec is None:
        yield "deleted"
        return
    for field, change in one.changes.items():
        before = "" if change.before is None else f"{_in_short(change.before)} → "
        yield f"{field}: {before}{_in_short(change.after)}"


def _in_short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
