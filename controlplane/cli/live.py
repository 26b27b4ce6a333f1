"""Live views: one thing, redrawn as it changes, until it has ended."""

from collections.abc import Callable
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from controlplane.cli.output import Terminal
from schemas.claims import Progress
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView
from schemas.views.rollouts import RolloutDetail

T = TypeVar("T")
COLOURS = {
    "Succeeded": "green", "Promoted": "green", "Running": "cyan", "Progressing": "cyan", "Gating": "cyan",
    "Verifying": "cyan", "Failed": "red", "RolledBack": "red", "Cancelled": "yellow", "Aborted": "yellow",
    "Paused": "yellow",
}  # fmt: skip


def phase(name: str) -> Text:
    return Text(name, style=COLOURS.get(name, "dim"))


def watch(screen: Terminal, follow: Callable[[Callable[[T], None]], T], draw: Callable[[T], RenderableType]) -> T:
    """Follow a thing to its end. With --json or without a terminal nothing is drawn."""
    if screen.as_json or not screen.console.is_terminal:
        return follow(lambda _: None)
    with Live(console=screen.console, refresh_per_second=8) as live:
        return follow(lambda found: live.update(draw(found)))


def bar(progress: Progress | None, width: int = 24) -> RenderableType:
    if progress is None or progress.total == 0:
        return Text("")
    grid = Table.grid(padding=(0, 1))
    words = f"{progress.step}/{progress.total} {progress.message}"
    grid.add_row(ProgressBar(progress.total, progress.step, width=width), Text(words.strip()))
    return grid


def draw_job(job: JobView) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text(job.kind, style="bold"), phase(job.phase), f"attempt {job.attempt}", bar(job.progress))
    return grid if not job.reason else Group(grid, Text(job.reason, style="yellow"))


def draw_run(jobs: Callable[[RunView], dict[str, JobView]]) -> Callable[[RunView], RenderableType]:
    """One line a stage, with the progress of those that run."""

    def draw(run: RunView) -> RenderableType:
        known = jobs(run)
        grid = Table.grid(padding=(0, 2))
        for name, stage in run.stages.items():
            job = known.get(name)
            shown = bar(job.progress) if job and stage.phase == "Running" else Text(stage.reason, style="dim")
            grid.add_row(f"  {name}", phase(stage.phase), shown)
        return Group(Text.assemble((run.pipeline, "bold"), " ", phase(run.phase)), grid)

    return draw


def draw_rollout(rollout: RolloutDetail) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(rollout.deployment, style="bold"),
        phase(rollout.phase),
        f"step {rollout.step_in_words}" if rollout.step else "",
        f"{rollout.weight:.0%}",
    )
    lines = [Text(f"  {gate.gate}: {gate.status}: {gate.reason}", style="dim") for gate in rollout.gates]
    lines += [Text(f"  {line}") for line in rollout.analysis]
    return Group(head, Text(f"  {rollout.reason}"), *lines)
