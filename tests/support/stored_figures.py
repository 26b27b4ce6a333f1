"""Figures in documents: kept as JSON beside the document, told between its marks; a test holds each to the other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.marked import with_part, write_part

Render = Callable[[Any], str]


def stored_for(document: Path) -> dict[str, Any]:
    """By the names of the document's parts."""
    found: dict[str, Any] = json.loads(document.with_suffix(".json").read_text())
    return found


def check_document(document: Path, name: str) -> None:
    """Before an hour of work, not after it. Raises ValueError without the marks, OSError without the file."""
    with_part(document.read_text(), name, "")
    if name not in stored_for(document):
        raise ValueError(f"{document.with_suffix('.json')} does not know {name!r}")


def keep(document: Path, name: str, figures: Any, render: Render) -> None:
    """In place of what was measured before."""
    stored = {**stored_for(document), name: figures}
    document.with_suffix(".json").write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    write_part(document, name, render(figures))
