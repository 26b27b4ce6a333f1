"""What came of one campaign: for the terminal, and for docs/hostile.md."""

from dataclasses import dataclass
from pathlib import Path

from schemas.marked import with_part, write_part
from tests.bench.host import commit, this_host, this_moment

LONGEST_FAULT = 6000


@dataclass(frozen=True)
class Outcome:
    """`name` is that of its part of the document."""

    name: str
    lines: list[str]
    faults: list[str]

    @property
    def verdict(self) -> str:
        return f"{'BROKEN' if self.faults else 'held'}: {len(self.faults)} faults"

    def text(self) -> str:
        return "\n".join([*self.lines, *(fault[-LONGEST_FAULT:] for fault in self.faults), self.verdict])

    def keep(self, document: Path) -> None:
        """Between its marks, with where and when it was."""
        conditions = f"{this_moment().at}, commit {commit()}, {this_host()}."
        write_part(document, self.name, "\n".join([conditions, "", "```text", self.text(), "```"]))


def check_document(document: Path, name: str) -> None:
    """Before an hour of work, not after it. Raises ValueError without the marks, OSError without the file."""
    with_part(document.read_text(), name, "")
