"""What a job has said and the control plane does not yet know."""

import math
import threading
from collections import deque
from dataclasses import dataclass

from schemas.claims import Checkpoint, CurvePoint, Progress
from workers.runtime.context import Report

MAX_LINE_LENGTH = 2000
"""Characters of a line of a job's log; the rest is cut."""
MAX_KEPT_LINES = 5_000
"""While the control plane is away; then the oldest are dropped, and the count of them is said."""
MAX_KEPT_POINTS = 5_000
"""Points of curves that are kept while the control plane is away; then the oldest are dropped."""
MAX_BATCH_POINTS = 400
"""Points of curves in one heartbeat."""
MAX_BATCH_LINES = 400
"""Lines of one heartbeat."""
MAX_BATCH_CHARACTERS = 100_000
"""A character is at most 6 bytes as JSON: a heartbeat stays below the API's limit of 1 MiB."""


def clean(text: str) -> str:
    """Text that the control plane takes: for one U+0000 it would refuse all that comes with it."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Batch:
    """What one heartbeat carries."""

    progress: Progress | None
    checkpoint: Checkpoint | None
    logs: tuple[str, ...]
    curve: tuple[CurvePoint, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.progress or self.checkpoint or self.logs or self.curve)


class News:
    """Filled by the threads that listen to the job, emptied by the heartbeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._checkpoint: Checkpoint | None = None
        self._lines: deque[str] = deque()
        self._points: deque[CurvePoint] = deque(maxlen=MAX_KEPT_POINTS)
        self._dropped = 0

    def hear(self, report: Report) -> None:
        with self._lock:
            if isinstance(report, Progress):
                # JSON has no NaN
                finite = {clean(name): value for name, value in report.metrics.items() if math.isfinite(value)}
                self._progress = report.model_copy(update={"metrics": finite, "message": clean(report.message)})
            elif isinstance(report, Checkpoint):
                self._checkpoint = report
            elif isinstance(report, CurvePoint):
                self._points.append(report)
            else:
                self._lines.append(clean(report)[:MAX_LINE_LENGTH])
                if len(self._lines) > MAX_KEPT_LINES:
                    self._lines.popleft()
                    self._dropped += 1

    def take(self) -> Batch:
        with self._lock:
            points = [self._points.popleft() for _ in range(min(len(self._points), MAX_BATCH_POINTS))]
            batch = Batch(self._progress, self._checkpoint, tuple(self._take_lines()), tuple(points))
            self._progress = self._checkpoint = None
            return batch

    def put_back(self, batch: Batch) -> None:
        """It did not arrive. What was said since is newer."""
        with self._lock:
            self._progress = self._progress or batch.progress
            self._checkpoint = self._checkpoint or batch.checkpoint
            self._lines.extendleft(reversed(batch.logs))
            self._points.extendleft(reversed(batch.curve[: MAX_KEPT_POINTS - len(self._points)]))

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not (self._progress or self._checkpoint or self._lines or self._points or self._dropped)

    def _take_lines(self) -> list[str]:
        lines: list[str] = []
        characters = 0
        if self._dropped:
            lines.append(f"… {self._dropped} lines were dropped: more was logged than could be sent")
            self._dropped = 0
        while self._lines and len(lines) < MAX_BATCH_LINES and characters < MAX_BATCH_CHARACTERS:
            lines.append(self._lines.popleft())
            characters += len(lines[-1])
        return lines
