"""How simulated rows look on a terminal."""

from rich.markup import escape

from controlplane.cli.output import Terminal
from controlplane.domain.simulation.report import OURS, Row, Share
from controlplane.domain.simulation.scenarios import SCENARIOS, applicable
from schemas.rollouts import CanaryPolicy

COLUMNS = (
    f"{'scenario':24}{'rolled back %':>20}{'promoted %':>20}{'other %':>9}  "
    f"{'usually':13}{'units':>8}{'seconds':>9}  bound"
)
WORDS = {"yes": "[green]held[/green]", "no": "[red]BROKEN[/red]", "unclear": "[yellow]unclear[/yellow]"}
SHORT = {
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


def _share(share: Share) -> str:
    return f"{100 * share.share:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _bound(row: Row) -> str:
    if row.bound is None:
        return ""
    word = SHORT[row.bound.result]
    if row.bound.at_most < 1:
        return f"({word} ≤ {100 * row.bound.at_most:g} %)"
    return f"({word} ≥ {100 * row.bound.at_least:g} %)"
