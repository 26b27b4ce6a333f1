"""What training asks of a task, and the task's module `learner`, which is found by the task's name."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from torch import Tensor, nn

from schemas.jobs.train import TrainSpec
from schemas.model.tasks import Task
from workers.adapters.head import Head
from workers.base.loading import Base
from workers.runtime.context import Context

Loss = Callable[[Sequence[int]], Tensor]
"""The mean loss of the rows with these numbers."""


@dataclass(frozen=True)
class Validated:
    """A hint of how good a version is; an evaluation measures it."""

    accuracy: float | None = None
    """Share of validation rows answered right."""
    loss: float | None = None
    """Mean over the tokens of validation rows' completions. Unit: nats."""

    def measured(self) -> dict[str, float]:
        """What there is of it, as points of a training's curve are called."""
        found = {"validation_accuracy": self.accuracy, "validation_loss": self.loss}
        return {name: value for name, value in found.items() if value is not None}


class Learner(Protocol):
    """A task over one base and the train rows of one job."""

    base: Base
    model: nn.Module
    """What answers. Its parameters that require gradients are trained."""
    lengths: Sequence[int]
    """How long each train row is. Unit: tokens."""
    left_out: int
    """Completions that are not learnt, because `max_length` would cut them."""

    def inject(self, change: Callable[[nn.Module], nn.Module]) -> None:
        """Put what a method trains into the part of the model that is the base's."""
        ...

    @property
    def network(self) -> nn.Module:
        """The part of the model that is the base's."""
        ...

    def loss(self) -> Loss:
        """What a step makes smaller; asked once, when the method's parameters are in place."""
        ...

    def validate(self) -> Validated:
        """What the trained model says of validation rows."""
        ...

    def task(self) -> Task:
        """What an answer of the trained model is."""
        ...

    def head(self) -> Head | None:
        """What an adapter file holds of it beside the change of the base; None: nothing."""
        ...


class LearnerModule(Protocol):
    """The module `learner` of a task's folder."""

    def load(self, folder: Path) -> Base:
        """The base as the task needs it."""
        ...

    def prepare(self, spec: TrainSpec, context: Context, base: Base) -> Learner: ...


def learner_module(task: str) -> LearnerModule:
    """The union in `schemas.model.tasks` lists them; a task that is not asked for loads nothing."""
    return cast(LearnerModule, importlib.import_module(f"workers.tasks.{task.replace('-', '_')}.learner"))
