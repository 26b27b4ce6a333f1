"""One way to spoil the design, as exact edits of the source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trials.chaos.plan import TOPOLOGIES, RoundPlan, Topology


class NotFound(Exception):
    """A mutation's old text is not in its file exactly once: the source has moved on, mend the mutation"""


@dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text() if path.is_file() else ""
        if (found := text.count(self.old)) != 1:
            raise NotFound(f"{self.file}: found {found} times, expected once:\n{self.old}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True)
class Mutation:
    name: str
    breaks: str
    """What the design says and this does not do."""
    edits: tuple[Edit, ...]
    topologies: tuple[Topology, ...] = TOPOLOGIES
    hit_by: tuple[str, ...] = ()
    """Words of a plan (`kill relay`, `train`): of the ordinary seeds, those that have one of them are played first."""

    def apply(self, root: Path) -> None:
        """Raises NotFound when the source has moved on."""
        for edit in self.edits:
            edit.apply(root)

    def order(self, plans: Sequence[RoundPlan]) -> list[int]:
        """Seeds in the order in which they are played."""
        likely = [plan.seed for plan in plans if self._hits(plan)]
        return likely + [plan.seed for plan in plans if plan.seed not in likely]

    def _hits(self, plan: RoundPlan) -> bool:
        said = "\n".join(plan.lines())
        return any(words in said for words in self.hit_by)
