"""What a training run leaves for its engineer: a curve of its loss and learning rate, and lines of its log."""

import math
from dataclasses import dataclass, field
from typing import Final

from workers.runtime.context import Context

CURVE_POINTS: Final = 500
"""Points of the curve of one run, however long: each stands for the steps since the one before."""
LOG_LINES: Final = 50


@dataclass
class _Mean:
    """The mean of the losses since it was last taken."""

    total: float = 0.0
    steps: int = 0

    def add(self, value: float) -> None:
        self.total, self.steps = self.total + value, self.steps + 1

    def take(self) -> float:
        mean = self.total / self.steps
        self.total, self.steps = 0.0, 0
        return mean


@dataclass
class TrainingRecord:
    """Hears of every step and keeps as much of them as has an end. Never of a private run: it would leak."""

    context: Context
    steps: int
    """Optimizer steps of the whole run."""
    epochs: int
    _point: _Mean = field(default_factory=_Mean)
    _line: _Mean = field(default_factory=_Mean)

    def hear(self, step: int, loss: float, learning_rate: float) -> None:
        """`step` counts from 1."""
        self.context.progress(step, self.steps, loss=loss, learning_rate=learning_rate)
        self._point.add(loss)
        self._line.add(loss)
        if self._is_due(step, CURVE_POINTS):
            self.context.measure(step, loss=self._point.take(), learning_rate=learning_rate)
        if self._is_due(step, LOG_LINES):
            epoch = math.ceil(step * self.epochs / self.steps)
            self.context.log(
                f"step {step}/{self.steps}, epoch {epoch}/{self.epochs}: "
                f"loss {self._line.take():.4f}, learning rate {learning_rate:.3g}"
            )

    def _is_due(self, step: int, most: int) -> bool:
        """At most so many times in a run, by the step alone (a resumed run goes on alike), and at its end."""
        return step % math.ceil(self.steps / most) == 0 or step == self.steps
