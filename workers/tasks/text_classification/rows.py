"""Rows of text classification, and the labels that a version must know of them."""

from collections.abc import Iterable, Sequence

from workers.data.rows import TextLabel
from workers.runtime.errors import JobError


def check_labels(rows: Iterable[TextLabel], labels: Sequence[str], where: str) -> None:
    """JobError: rows of `where` have others."""
    if unknown := sorted({row.label for row in rows} - set(labels)):
        raise JobError(f"{where} has labels that the model does not know: {', '.join(unknown)}")
