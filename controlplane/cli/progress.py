"""What is waited for, how far it is and how long it may still take: the same words on a terminal and through a pipe."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from controlplane.kinds import KINDS
from schemas.claims import Progress
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView
from schemas.views.rollouts import RolloutDetail

Clock = Callable[[], float]
UNITS: Final[Mapping[str, str]] = {name: kind.unit for name, kind in KINDS.items()}
"""What a kind of job counts."""
WINDOW_SECONDS: Final = 60.0
"""The pace is that of the last minute: a model's first batches are slower than the rest."""
LEAST_STEPS: Final = 5
LEAST_SECONDS: Final = 3.0
"""Less than both says nothing about what is left."""


@dataclass(frozen=True)
class Line:
    """One stage of what is waited for."""

    name: str
    phase: str
    attempt: int = 1
    progress: Progress | None = None
    how_far: str = ""
    left: str = ""
    """How long it may still take, in words, or what it waits for; empty when nobody can know."""
    reason: str = ""

    @property
    def words(self) -> str:
        return " · ".join(part for part in (self.how_far, self.left, self.reason) if part)


@dataclass(frozen=True)
class Waited:
    """A job, a run or a rollout as it stands."""

    title: str
    phase: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Pace:
    """How fast jobs go, by the progress that they told while somebody looked."""

    clock: Clock = time.monotonic
    _seen: dict[UUID, deque[tuple[float, int]]] = field(default_factory=dict)
    _pass: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def seconds_left(self, job: JobView) -> float | None:
        """None when too little was seen, or nothing is left to count."""
        told = job.progress
        if told is None or not 0 < told.step < told.total:
            self._seen.pop(job.id, None)
            return None
        seen, now = self._observed(job, told), self.clock()
        (began, first), (_, last) = seen[0], seen[-1]
        if last - first < LEAST_STEPS or now - began < LEAST_SECONDS:
            return None
        return (told.total - last) * (now - began) / (last - first)

    def _observed(self, job: JobView, told: Progress) -> deque[tuple[float, int]]:
        """Another attempt, another total and a step further back begin anew: it is another pass over the rows."""
        seen = self._seen.setdefault(job.id, deque())
        if self._pass.get(job.id) != (job.attempt, told.total) or (seen and told.step < seen[-1][1]):
            seen.clear()
        self._pass[job.id] = (job.attempt, told.total)
        if not seen or told.step > seen[-1][1]:
            seen.append((self.clock(), told.step))
        while len(seen) > 2 and seen[1][0] < self.clock() - WINDOW_SECONDS:
            seen.popleft()
        return seen


def in_words(seconds: float | None) -> str:
    """As exact as an estimate is: the nearest five or ten seconds, or whole minutes or hours."""
    if seconds is None:
        return ""
    if seconds < 7.5:
        return "a few seconds left"
    if seconds < 90:
        nearest = 5 if seconds < 30 else 10
        return f"about {round(seconds / nearest) * nearest} s left"
    return f"about {round(seconds / 60)} min left" if seconds < 5400 else f"about {round(seconds / 3600)} h left"


def how_far(kind: str, progress: Progress | None) -> str:
    """Steps or rows, percent, and what the job says beside it: its message, else its metrics."""
    if progress is None:
        return ""
    beside = progress.message or ", ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
    return " · ".join(part for part in (_counted(progress, UNITS.get(kind, "parts")), beside) if part)


def _counted(progress: Progress, unit: str) -> str:
    """The percentage is rounded down: what is not done is not 100 %."""
    if progress.total == 0:
        return ""
    return f"{progress.step:,}/{progress.total:,} {unit} ({100 * progress.step // progress.total} %)"


def of_job(pace: Pace) -> Callable[[JobView], Waited]:
    return lambda job: Waited(job.kind, job.phase, (_job_line(job.kind, job, job.reason or "", pace),))


def of_run(pace: Pace, jobs: Callable[[RunView], Mapping[str, JobView]]) -> Callable[[RunView], Waited]:
    """A line a stage, with the progress of those that run."""

    def look(run: RunView) -> Waited:
        known = jobs(run)
        lines = [
            _job_line(name, known[name], stage.reason, pace)
            if name in known
            else Line(name, stage.phase, reason=stage.reason)
            for name, stage in run.stages.items()
        ]
        return Waited(run.pipeline, run.phase, tuple(lines), (run.reason,) if run.reason else ())

    return look


def of_rollout(rollout: RolloutDetail) -> Waited:
    """Nobody can know how long evidence takes: a canary has steps and no end that is foreseen."""
    steps = f"step {rollout.step_in_words}, {rollout.weight:.0%} of the traffic" if rollout.step else ""
    waits = f"waits: {rollout.waits_for}" if rollout.waits_for else ""
    line = Line("rollout", rollout.phase, rollout.step, None, steps, waits, rollout.reason)
    gates = [f"{gate.gate}: {gate.status}: {gate.reason}" for gate in rollout.gates]
    return Waited(rollout.deployment, rollout.phase, (line,), (*gates, *rollout.analysis))


def _job_line(name: str, job: JobView, reason: str, pace: Pace) -> Line:
    """A job that waits for a worker has an earlier attempt's progress, which is no progress of the next."""
    running = job.phase == "Running"
    again = f"attempt {job.attempt}" if job.attempt > 1 else ""
    far = how_far(job.kind, job.progress) if running else ""
    return Line(
        name,
        job.phase,
        job.attempt,
        job.progress if running else None,
        " · ".join(part for part in (again, far) if part),
        in_words(pace.seconds_left(job)) if running else "",
        reason,
    )
