"""What is waited for, redrawn on a terminal as it changes, until it has ended."""

from collections.abc import Callable
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from controlplane.cli.output import Terminal
from controlplane.cli.progress import Line, Waited

T = TypeVar("T")
COLOURS = {
    "Succeeded": "green", "Promoted": "green", "Running": "cyan", "Progressing": "cyan", "Gating": "cyan",
    "Verifying": "cyan", "Failed": "red", "RolledBack": "red", "Cancelled": "yellow", "Aborted": "yellow",
    "Paused": "yellow",
}  # fmt: skip
BAR_WIDTH = 16


def live(screen: Terminal, follow: Callable[[Callable[[T], None]], T], look: Callable[[T], Waited]) -> T:
    with Live(console=screen.console, refresh_per_second=8) as shown:
        return follow(lambda found: shown.update(draw(look(found))))


def draw(waited: Waited) -> RenderableType:
    """The title, a line a stage, and what was noted."""
    grid = Table.grid(padding=(0, 2))
    for line in waited.lines:
        grid.add_row(Text(f"  {line.name}"), phase(line.phase), bar(line), Text(line.words, style="dim"))
    notes = [Text(f"  {note}", style="dim") for note in waited.notes]
    return Group(Text.assemble((waited.title, "bold"), "  ", phase(waited.phase)), grid, *notes)


def phase(name: str) -> Text:
    return Text(name, style=COLOURS.get(name, "dim"))


def bar(line: Line) -> RenderableType:
    told = line.progress
    return ProgressBar(told.total, told.step, width=BAR_WIDTH) if told and told.total else Text("")
