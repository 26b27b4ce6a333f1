"""The demo's last screen: what came of each version and why, where the time went, and what to look at next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from controlplane.cli.live import phase

NEXT: Final = (
    ("graftwork up", "everything again, the champion serving"),
    ("graftwork model get {champion}", "what it is made of, what was learnt"),
    ("graftwork rollout list", "the releases, and where each stands"),
    ("graftwork job list", "and of one: `job curves ID`, its loss"),
    ("graftwork events list --limit 1000", "the whole journey, in order"),
    ("graftwork up --home my-site", "your own data, in a folder of its own"),
)
HEADED: Final[dict[str, Any]] = {"box": None, "pad_edge": False, "padding": (0, 2, 0, 0), "header_style": "bold"}


@dataclass(frozen=True)
class Release:
    """One version, what was measured on it, and the decision that ended its rollout."""

    version: str
    is_champion: bool
    figures: Sequence[str]
    """What was measured, in the order of the ending's headings."""
    phase: str
    waived: bool
    """A person let it past its gates."""
    verdict: str
    decision: str
    reason: str


@dataclass(frozen=True)
class Spent:
    """Jobs of one kind together."""

    kind: str
    jobs: int
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Ending:
    headings: Sequence[str]
    releases: Sequence[Release]
    spent: Sequence[Spent]
    traffic: str
    wall_seconds: float
    busy: str
    """What requests that failed or were not sent mean; empty: there were none."""
    home: str
    """Empty: where every verb looks anyway."""
    champion: str
    """As verbs name it."""


def ending(told: Ending) -> RenderableType:
    """One screen at 80 columns and at 120."""
    minutes, seconds = divmod(round(told.wall_seconds), 60)
    return Group(
        Text.assemble("\n", ("What happened", "bold"), f" in {minutes} min {seconds} s; {told.traffic}"),
        *([Text(told.busy, style="dim")] if told.busy else []),
        "",
        _versions(told),
        "",
        _decisions(told.releases),
        "",
        _jobs(told.spent),
        "",
        _next(told),
    )


def _versions(told: Ending) -> Table:
    table = Table(*map(_whole, ("version", *told.headings, "its release")), **HEADED)
    for one in told.releases:
        ended = Text.assemble(phase(one.phase), ", gates waived" if one.waived else "")
        if one.is_champion:
            ended.append(": champion", "green")
        table.add_row(one.version, *one.figures, ended)
    return table


def _decisions(releases: Sequence[Release]) -> Table:
    """The id is for `graftwork why`, which tells the evidence and judges it again."""
    table = Table(*map(_whole, ("version", "verdict", "graftwork why")), "because", **HEADED)
    for one in releases:
        table.add_row(one.version, one.verdict, one.decision, Text(one.reason))
    return table


def _jobs(spent: Sequence[Spent]) -> Table:
    figures = [Column(name, justify="right") for name in ("number", "wall s", "CPU s")]
    table = Table("jobs", *figures, **HEADED)
    for one in spent:
        table.add_row(one.kind, str(one.jobs), f"{one.wall_seconds:.0f}", f"{one.cpu_seconds:.0f}")
    return table


def _whole(name: str) -> Column:
    """What is compared or copied stays on one line."""
    return Column(name, no_wrap=True)


def _next(told: Ending) -> RenderableType:
    where = f" (first: export GRAFTWORK_HOME={told.home})" if told.home else ""
    commands = [(command.format(champion=told.champion), words) for command, words in NEXT]
    width = max(len(command) for command, _ in commands)
    lines = [Text.assemble("  ", (command.ljust(width), "bold"), "  ", (words, "dim")) for command, words in commands]
    return Group(Text.assemble(("Look next", "bold"), where), *lines)
