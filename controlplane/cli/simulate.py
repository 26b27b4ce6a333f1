"""`graftwork simulate`: a policy in imagined worlds, before any traffic meets it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from controlplane.cli.output import FAILED, Terminal, refuse, terminal
from controlplane.cli.players import Players
from controlplane.cli.policies import read_policy
from controlplane.cli.simulated import heading, line, listing
from controlplane.domain.simulation.baselines import BASELINES
from controlplane.domain.simulation.report import OURS, Row, summarize
from controlplane.domain.simulation.scenario import Scenario
from controlplane.domain.simulation.scenarios import SCENARIOS, applicable
from schemas.rollouts import CanaryPolicy

SEEDS_APART = 1_000_000_000


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    context: typer.Context,
    policy: Annotated[Path, typer.Argument(help="a deployment's YAML, or its `policy` alone")],
    scenario: Annotated[list[str], typer.Option(help="a name, several, `all`, or `list`")] = ["all"],  # noqa: B006
    runs: Annotated[int, typer.Option(min=1, help="of each scenario")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same table")] = 0,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="also thresholds and z-tests, in the same worlds")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="write every number as JSON")] = None,
    plot: Annotated[Path | None, typer.Option(help="write a picture (SVG); implies --baselines")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 1,
) -> None:
    """What a policy does in imagined worlds: false alarms, detection, time and requests. Exit 1: a bound is broken."""
    screen = terminal(context)
    canary = read_policy(policy)
    if scenario == ["list"]:
        listing(screen, canary)
        return
    asked = list(_asked(scenario, canary))
    contenders = (OURS, *BASELINES) if baselines or plot else (OURS,)
    base = seed * SEEDS_APART
    with Players(canary, range(base, base + runs), jobs) as players:
        rows = _play(screen, players, asked, contenders)
    _write(report, policy, canary, runs, seed, rows)
    if screen.as_json:
        screen.print_json(rows)
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


def _play(screen: Terminal, players: Players, asked: list[Scenario], contenders: tuple[str, ...]) -> list[Row]:
    worlds = [
        (scenario, contender)
        for scenario in asked
        for contender in contenders
        if contender == OURS or not scenario.gateways_matter
    ]
    rows: list[Row] = []
    _print(screen, heading())
    for (scenario, contender), outcomes in zip(worlds, players.play(worlds), strict=True):
        rows.append(summarize(scenario, contender, outcomes))
        _print(screen, line(rows[-1]))
    return rows


def _print(screen: Terminal, text: str) -> None:
    """A row stays on its line however narrow the terminal is."""
    if not screen.as_json:
        screen.console.print(text, soft_wrap=True)


def _write(file: Path | None, policy: Path, canary: CanaryPolicy, runs: int, seed: int, rows: list[Row]) -> None:
    if file is None:
        return
    document = {
        "policy_file": policy.name,
        "policy": canary.model_dump(mode="json"),
        "runs": runs,
        "seed": seed,
        "interval": "95 % two-sided, Clopper-Pearson",
        "rows": [asdict(row) for row in rows],
    }
    file.write_text(json.dumps(TypeAdapter(Any).dump_python(document, mode="json"), indent=1) + "\n")
