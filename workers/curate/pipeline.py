"""Runs a spec's operators: on each row as it is read, on the rows of each source, then on all of them together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from schemas.data.operators import OfSources, OperatorSettings, Scope
from workers.curate.operators.operator import Apply, Given, implementation
from workers.curate.rejects import Rejects
from workers.data.rows import Row


@dataclass(frozen=True)
class Step:
    """One operator of the spec."""

    settings: OperatorSettings
    apply: Apply

    @property
    def is_local(self) -> bool:
        return self.settings.STABILITY == "record-local"

    def concerns(self, source: int) -> bool:
        return not isinstance(self.settings, OfSources) or self.settings.concerns(source)


@dataclass
class Pipeline:
    """The steps of one run, and what they did so far."""

    steps: Sequence[Step]
    rejects: Rejects
    changed: Counter[str] = field(default_factory=Counter)
    """How many rows each record-local operator put another in the place of."""

    @classmethod
    def of(cls, operators: Iterable[OperatorSettings], rejects: Rejects) -> "Pipeline":
        return cls([Step(settings, implementation(settings)) for settings in operators], rejects)

    def of_source(self, source: int) -> tuple[Sequence[Step], Sequence[Step]]:
        """The steps for each row as it is read, and those for what is left of all the source's rows."""
        steps = [step for step in self._of("source") if step.concerns(source)]
        local = list(takewhile(lambda step: step.is_local, steps))
        return local, steps[len(local) :]

    def of_dataset(self) -> Sequence[Step]:
        """The steps for the rows of all sources."""
        return self._of("dataset")

    def run(self, steps: Iterable[Step], rows: Sequence[Row], given: Given) -> Sequence[Row]:
        """What is left of the rows; what is not is among the rejects."""
        for step in steps:
            if rows:
                rows = self._step(step, rows, given)
        return rows

    def _step(self, step: Step, rows: Sequence[Row], given: Given) -> Sequence[Row]:
        kept, rejects = step.apply(rows, step.settings, given)
        self.rejects.extend(rejects)
        if step.is_local:
            same = {id(row) for row in rows}
            self.changed[step.settings.op] += sum(id(row) not in same for row in kept)
        return kept

    def _of(self, scope: Scope) -> list[Step]:
        return [step for step in self.steps if step.settings.scope == scope]
