"""How simulated rows look on a terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.markup import escape

from controlplane.cli.output import Terminal, refuse
from controlplane.simulation.baselines import BASELINES
from controlplane.simulation.report import OURS, Row, Share
from controlplane.simulation.scenario import Result
from controlplane.simulation.scenarios import SCENARIOS, applicable
from schemas.marked import marks, write_part
from schemas.rollouts import CanaryPolicy

COLUMNS = (
    f"{'scenario':24}{'rolled back %':>20}{'promoted %':>20}{'other %':>9}  "
    f"{'usually':13}{'units':>8}{'seconds':>9}  bound"
)
WORDS = {"yes": "[green]held[/green]", "no": "[red]BROKEN[/red]", "unclear": "[yellow]unclear[/yellow]"}
PART: Final = "simulated"
"""Its marks in a document."""
SHORT: Final[dict[Result, str]] = {
    "HARM": "rolled back",
    "SAFE": "promoted",
    "INCONCLUSIVE": "inconclusive",
    "INVALID": "invalid",
    "UNDECIDED": "undecided",
}


def heading() -> str:
    note = (
        "[dim]95 % Clopper-Pearson intervals in brackets; units (counted canary requests) and seconds are medians[/dim]"
    )
    return f"{note}\n[bold]{COLUMNS}[/bold]"


def line(row: Row) -> str:
    results = row.results
    other = sum(results[name].share for name in ("INCONCLUSIVE", "INVALID", "UNDECIDED"))
    name = row.scenario if row.contender == OURS else f"  {row.contender}"
    text = (
        f"{name:24}{_share(results['HARM']):>20}{_share(results['SAFE']):>20}{100 * other:9.1f}  "
        f"{SHORT[row.usual]:13}{row.canary_units.median:8.0f}{row.seconds.median:9.0f}"
    )
    return escape(text) + (f"  {WORDS[row.held]} {_bound(row)}" if row.held else "")


def listing(screen: Terminal, policy: CanaryPolicy) -> None:
    found = [
        {
            "name": scenario.name,
            "kind": scenario.kind,
            "description": scenario.description,
            "applicable": applicable(scenario, policy),
        }
        for scenario in SCENARIOS.values()
    ]
    screen.rows(found, ("name", "kind", "description"))


def write_table(file: Path, rows: Sequence[Row]) -> None:
    """Between the marks; the words around are a person's."""
    if not file.exists():
        file.write_text("\n".join([*marks(PART), ""]))
    try:
        write_part(file, PART, table(rows))
    except ValueError as error:
        refuse(str(error))


def table(rows: Sequence[Row]) -> str:
    """As the document has it."""
    return "\n".join(_table(rows))


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Ours with intervals; beside it what others rolled back and promoted, in percent."""
    names = [name for name in BASELINES if any(row.contender == name for row in rows)]
    ours = ["scenario", "rolled back %", "promoted %", "other %", "usual end", "canary requests", "seconds", "bound"]
    head = [*ours, *names]
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    found = {(row.scenario, row.contender): row for row in rows}
    for row in (row for row in rows if row.contender == OURS):
        others = (found.get((row.scenario, name)) for name in names)
        yield f"| {' | '.join([*_cells(row), *(_other(other) for other in others)])} |"


def _cells(row: Row) -> list[str]:
    results = row.results
    others: tuple[Result, ...] = ("INCONCLUSIVE", "INVALID", "UNDECIDED")
    rest = {name: results[name].share for name in others if results[name].count}
    words = ", ".join(f"{SHORT[name]} {100 * share:.1f}" for name, share in rest.items()) or "0"
    bound = f"{row.held}: {_bound(row)}" if row.held else ""
    return [
        f"**{row.scenario}**: {row.description}",
        _share(results["HARM"]),
        _share(results["SAFE"]),
        words,
        SHORT[row.usual],
        f"{row.canary_units.median:,.0f} / {row.canary_units.p90:,.0f}",
        f"{row.seconds.median:,.0f} / {row.seconds.p90:,.0f}",
        bound,
    ]


def _other(row: Row | None) -> str:
    """Rolled back / promoted."""
    if row is None:
        return ""
    return f"{100 * row.results['HARM'].share:.1f} / {100 * row.results['SAFE'].share:.1f}"


def _share(share: Share) -> str:
    return f"{100 * share.share:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _bound(row: Row) -> str:
    if row.bound is None:
        return ""
    word = SHORT[row.bound.result]
    if row.bound.at_most < 1:
        return f"({word} ≤ {100 * row.bound.at_most:g} %)"
    return f"({word} ≥ {100 * row.bound.at_least:g} %)"
