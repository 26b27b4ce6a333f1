"""`graftwork run …`"""

from itertools import islice
from typing import Annotated

import typer

from controlplane.cli.output import FAILED, Limit, Terminal, terminal
from controlplane.cli.progress import Pace, of_run
from controlplane.cli.verbs.jobs import Wait
from controlplane.cli.watching import watch
from controlplane.client import Client
from schemas.phases import FINAL_RUN_PHASES
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView

run = typer.Typer(no_args_is_help=True, help="Runs of pipelines.")


def register(app: typer.Typer) -> None:
    app.add_typer(run, name="run")


@run.command("list")
def list_runs(context: typer.Context, pipeline: str | None = None, phase: str | None = None, limit: Limit = 30) -> None:
    """Newest first."""
    screen = terminal(context)
    with screen.client() as client:
        runs = client.list_runs(pipeline=pipeline, phase=phase)
        found = list(islice(runs, limit))
        if not found and pipeline is not None:
            client.get_pipeline(pipeline)  # refuses a name that nothing has
    screen.rows(found, ("id", "pipeline", "phase", "trigger", "actor", "created_at", "reason"), empty="no runs")


@run.command("get")
def get_run(context: typer.Context, run_id: str, wait: Wait = False) -> None:
    screen = terminal(context)
    with screen.client() as client:
        if wait:
            follow(screen, client, client.get_run(run_id))
        else:
            screen.show(client.get_run(run_id))


@run.command("cancel")
def cancel_run(context: typer.Context, run_id: str, reason: Annotated[str, typer.Option("--reason", "-r")]) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.cancel_run(run_id, reason))


def jobs_of(client: Client, run: RunView) -> dict[str, JobView]:
    """The running stages' jobs."""
    return {
        name: client.get_job(stage.job_id)
        for name, stage in run.stages.items()
        if stage.job_id and stage.phase == "Running"
    }


def follow(screen: Terminal, client: Client, started: RunView) -> None:
    """To its end; exit 1 unless it succeeds."""
    ended = watch(
        screen,
        lambda seen: client.wait_for_run(started.id, seen=seen),
        of_run(Pace(), lambda run: jobs_of(client, run)),
    )
    screen.show(ended)
    exit_if_it_ended_badly(ended)


def exit_if_it_ended_badly(run: RunView) -> None:
    if run.phase in FINAL_RUN_PHASES and run.phase != "Succeeded":
        raise typer.Exit(FAILED)
