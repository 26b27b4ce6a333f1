"""`graftwork simulate`: a policy in imagined worlds, before any traffic meets it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.output import FAILED, Terminal, refuse, terminal
from controlplane.cli.simulation import kept_rows
from controlplane.cli.simulation.picture import draw
from controlplane.cli.simulation.players import SEEDS_APART, Players
from controlplane.cli.simulation.policies import read_policy
from controlplane.cli.simulation.rows_on_screen import heading, line, listing, write_table
from controlplane.simulation.baselines import BASELINES
from controlplane.simulation.report import OURS, Row, summarize
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.scenarios import SCENARIOS, applicable
from schemas.rollouts import CanaryPolicy


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    context: typer.Context,
    policy: Annotated[Path, typer.Argument(help="a deployment's YAML, or its `policy` alone")],
    scenario: Annotated[list[str], typer.Option(help="a name, several, `all`, or `list`")] = ["all"],  # noqa: B006
    runs: Annotated[int, typer.Option(min=1, help="of each scenario")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same table")] = 0,
    baselines: Annotated[bool, typer.Option("--baselines", help="thresholds and z-tests in the same worlds")] = False,
    report: Annotated[Path | None, typer.Option(help="write every number as JSON")] = None,
    plot: Annotated[Path | None, typer.Option(help="write a picture (SVG)")] = None,
    markdown: Annotated[Path | None, typer.Option(help="write the table between a document's two markers")] = None,
    keep: Annotated[Path | None, typer.Option(help="a folder: what it holds is not played again")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 1,
) -> None:
    """What a policy does in imagined worlds: false alarms, detection, time and requests. Exit 1: a bound is broken."""
    screen = terminal(context)
    canary = read_policy(policy)
    if scenario == ["list"]:
        listing(screen, canary)
        return
    asked = list(_asked(scenario, canary))
    base = seed * SEEDS_APART
    with Players(canary, range(base, base + runs), jobs) as players:
        table = Table(screen, players, canary, (runs, seed), keep)
        rows = table.play(asked, (OURS, *BASELINES) if baselines else (OURS,))
        table.write(rows, report, plot, markdown)
    if any(row.held == "no" for row in rows):
        raise typer.Exit(FAILED)


def _asked(names: list[str], policy: CanaryPolicy) -> Iterator[Scenario]:
    """With `all`, those that the policy has the metrics for."""
    for name in names:
        if name == "all":
            yield from (scenario for scenario in SCENARIOS.values() if applicable(scenario, policy))
        elif name not in SCENARIOS:
            refuse(f"there is no scenario {name!r}: `--scenario list` names all {len(SCENARIOS)}")
        elif not applicable(SCENARIOS[name], policy):
            refuse(f"scenario {name} needs the metric {', '.join(SCENARIOS[name].needs)}, which the policy has not")
        else:
            yield SCENARIOS[name]


class Table:
    """Row by row on the terminal, and in files where they are kept."""

    def __init__(
        self, screen: Terminal, players: Players, policy: CanaryPolicy, counted: tuple[int, int], keep: Path | None
    ) -> None:
        self._screen, self._players, self._policy, self._keep = screen, players, policy, keep
        self._runs, self._seed = counted
        if keep:
            keep.mkdir(parents=True, exist_ok=True)

    def play(self, asked: Sequence[Scenario], contenders: tuple[str, ...]) -> list[Row]:
        worlds = {
            scenario.name: [(scenario, name) for name in contenders if name == OURS or not scenario.gateways_matter]
            for scenario in asked
        }
        kept = {scenario.name: self._kept(scenario, [name for _, name in worlds[scenario.name]]) for scenario in asked}
        open_ = [world for name, several in worlds.items() if not kept[name] for world in several]
        outcomes = self._players.play(open_)
        self._print(heading())
        rows: list[Row] = []
        for scenario in asked:
            found = kept[scenario.name] or [summarize(*world, next(outcomes)) for world in worlds[scenario.name]]
            self._store(scenario, found)
            rows += found
            for row in found:
                self._print(line(row))
        return rows

    def write(self, rows: list[Row], report: Path | None, plot: Path | None, markdown: Path | None) -> None:
        if report:
            kept_rows.write(report, kept_rows.document(self._policy, self._runs, self._seed, rows))
        if plot:
            plot.write_text(draw(rows))
        if markdown:
            write_table(markdown, rows)
        if self._screen.as_json:
            self._screen.print_json(rows)

    def _file(self, scenario: Scenario) -> Path | None:
        return self._keep / f"{scenario.name}.json" if self._keep else None

    def _kept(self, scenario: Scenario, contenders: list[str]) -> list[Row]:
        """Nothing when one of those asked for is missing: then all are played again."""
        file = self._file(scenario)
        found = kept_rows.read(file, self._policy, self._runs, self._seed) if file else []
        rows = {row.contender: row for row in found}
        return [rows[name] for name in contenders] if rows.keys() >= set(contenders) else []

    def _store(self, scenario: Scenario, rows: list[Row]) -> None:
        if file := self._file(scenario):
            kept_rows.write(file, kept_rows.document(self._policy, self._runs, self._seed, rows))

    def _print(self, text: str) -> None:
        """A row stays on its line however narrow the terminal is."""
        if not self._screen.as_json:
            self._screen.console.print(text, soft_wrap=True)
