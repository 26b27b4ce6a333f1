"""What a handler may use: artifacts, sources, a scratch folder, and ways to say how far it is."""

import math
from collections.abc import Callable
from pathlib import Path

from schemas.claims import Checkpoint, CurvePoint, Progress
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.sources import Sources

Report = Progress | Checkpoint | CurvePoint | str
"""A str is one line of the job's log."""

MESSAGE_LENGTH = 500
"""As `Progress.message` allows: a long message is cut, it must not end a job."""


class Context:
    """Handed to a handler for one attempt of one job."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        sources: Sources,
        workdir: Path,
        report: Callable[[Report], None],
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.artifacts = artifacts
        self.sources = sources
        self.workdir = workdir
        self.checkpoint = checkpoint
        """The checkpoint of an earlier attempt, to go on from; None: begin at the beginning."""
        self._report = report
        self._counted = (0, 0)

    def progress(self, step: int, total: int, message: str = "", **metrics: float) -> None:
        self._counted = (step, total)
        self._report(Progress(step=step, total=total, message=message[:MESSAGE_LENGTH], metrics=metrics))

    def stage(self, name: str) -> None:
        """Begin a stage whose end is not counted: a line of the log, and what whoever waits sees meanwhile."""
        self.log(name)
        self.progress(*self._counted, name)

    def measure(self, step: int, **values: float) -> None:
        """A point of the job's curve. Not for a private job: a number that was measured on its rows is a leak."""
        if finite := {name: value for name, value in values.items() if math.isfinite(value)}:
            self._report(CurvePoint(step=step, values=finite))

    def save_checkpoint(self, path: Path, step: int) -> None:
        """Store the file, then report it, so that a reported checkpoint is always there."""
        artifact = self.artifacts.put_file(path, "application/octet-stream")
        self._report(Checkpoint(artifact=artifact, step=step))

    def log(self, line: str) -> None:
        self._report(line)
