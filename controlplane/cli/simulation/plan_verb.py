"""`graftwork rollout plan`: the verb, without what it takes to compute it."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.output import terminal

Rate = Annotated[float | None, typer.Option(min=0, max=1)]


def plan(
    context: typer.Context,
    deployment: Annotated[str | None, typer.Option(help="read its policy, and the traffic of its last canary")] = None,
    policy: Annotated[Path | None, typer.Option(help="or a file: a deployment's YAML, or its `policy` alone")] = None,
    rps: Annotated[float | None, typer.Option(min=0.001, help="requests (sessions, by session) a second")] = None,
    stable_error: Rate = None,
    stable_wrong: Rate = None,
    stable_abandoned: Rate = None,
    labelled: Annotated[float | None, typer.Option(min=0, max=1, help="the share of answers that get a label")] = None,
    harm: Annotated[list[str], typer.Option(help="`error=0.05`: what must be seen; default: two margins")] = [],  # noqa: B006
    runs: Annotated[
        int | None,
        typer.Option(min=1, help="imagined rollouts a question; default: by the traffic"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 1,
) -> None:
    """Before a canary starts: how many requests and how long it needs to see a harm, and to be promoted."""
    from controlplane.cli.simulation.make_plan import (  # here: the other verbs of rollouts need not wait for it
        Rates,
        run,
    )

    rates = Rates(stable_error, stable_wrong, stable_abandoned, labelled)
    run(terminal(context), deployment, policy, rps, rates, harm, runs, seed, jobs)
