"""What came of one campaign: for the terminal, and for docs/hostile.md."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.stored_figures import keep
from tests.trials.bench.host import commit, this_host, this_moment

LONGEST_FAULT = 6000
JUDGE: Final = "2e9bcdb"
"""The commit that last changed what counts as a fault: what was judged before it is said to be so."""


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
        """In the JSON beside it, with where and when it was, and between its marks."""
        conditions = f"{this_moment().at}, commit {commit()}, {this_host()}."
        figures = {"conditions": conditions, "judge": JUDGE, "lines": self.text().splitlines()}
        keep(document, self.name, figures, part)


def part(stored: dict[str, Any] | None) -> str:
    """One campaign as the document tells it; None: nobody has run it."""
    if stored is None:
        return "Not measured: no whole campaign has been kept."
    older = (
        ["", f"**By an older judge** ({stored['judge']}), which asked for less; not measured by today's ({JUDGE})."]
        if stored["judge"] != JUDGE
        else []
    )
    return "\n".join([stored["conditions"], *older, "", "```text", *stored["lines"], "```"])
