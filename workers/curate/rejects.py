"""Rows that were left out, written as they are found: a file with nothing but bad rows costs disk, and no memory."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.curate.rows import Reject


class Rejects:
    """One JSON object a line; what was found wrong in reading comes in the order of the source's lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8")
        self._counts: Counter[str] = Counter()

    def add(self, reject: Reject) -> None:
        self._counts[reject.reason] += 1
        fields = {
            "source": reject.place.source,
            "line": reject.place.line,
            "operator": reject.operator,
            "reason": reject.reason,
            "text_digest": reject.text_digest,
        }
        self._file.write(json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n")

    def extend(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self.add(reject)

    @property
    def reasons(self) -> dict[str, int]:
        """How many, by reason."""
        return dict(sorted(self._counts.items()))

    def written(self) -> Path | None:
        """All of them on disk; None: there is none."""
        self._file.flush()
        return self._path if self._counts else None

    def close(self) -> None:
        self._file.close()


@contextmanager
def rejects_in(folder: Path) -> Iterator[Rejects]:
    rejects = Rejects(folder / "rejects.jsonl")
    try:
        yield rejects
    finally:
        rejects.close()
