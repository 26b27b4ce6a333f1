"""`graftwork pipeline …`, `graftwork run …`, `graftwork trigger …`"""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.histories import show_history
from controlplane.cli.jobs import Wait
from controlplane.cli.models import Why
from controlplane.cli.output import FAILED, Limit, Terminal, terminal
from controlplane.cli.progress import Pace, of_run
from controlplane.cli.watching import watch
from controlplane.client import Client
from schemas.pipelines import PipelineSpec, TriggerSpec
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView

pipeline = typer.Typer(no_args_is_help=True, help="Pipelines: a small DAG of job templates.")
run = typer.Typer(no_args_is_help=True, help="Runs of pipelines.")
trigger = typer.Typer(no_args_is_help=True, help="Triggers: an event to a pipeline, and why one did not fire.")


def register(app: typer.Typer) -> None:
    app.add_typer(pipeline, name="pipeline")
    app.add_typer(run, name="run")
    app.add_typer(trigger, name="trigger")


@pipeline.command()
def apply(context: typer.Context, file: Path, reason: Why = None) -> None:
    """Create or change a pipeline from a YAML file. Runs under way go on by the spec that they began with."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.put_pipeline(documents.named(file), reason))


@pipeline.command("list")
def list_pipelines(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(list(client.list_pipelines()), ("name", "revision", "updated_at", "updated_by"))


@pipeline.command("get")
def get_pipeline(context: typer.Context, name: str) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.get_pipeline(name))


@pipeline.command("history")
def pipeline_history(context: typer.Context, name: str, limit: Limit = 30) -> None:
    """Every revision, newest first: who applied it, when and why, and what it changed."""
    screen = terminal(context)
    with screen.client() as client:
        show_history(screen, client.pipeline_history(name), limit)


@pipeline.command("run")
def run_pipeline(
    context: typer.Context,
    name: str,
    params: Annotated[list[str] | None, typer.Argument(help="key=value …")] = None,
    wait: Wait = False,
) -> None:
    """Run it now, with other params than its defaults."""
    screen = terminal(context)
    with screen.client() as client:
        started = client.run_pipeline(name, documents.pairs(params or []))
        if wait:
            follow(screen, client, started)
        else:
            screen.show(started)


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


@trigger.command("apply")
def apply_trigger(context: typer.Context, file: Path, reason: Why = None) -> None:
    """Create or change a trigger from a YAML file."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.put_trigger(documents.named(file), reason))


@trigger.command("list")
def list_triggers(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(list(client.list_triggers()), ("name", "spec.pipeline", "spec.types", "spec.enabled", "updated_at"))


@trigger.command("get")
def get_trigger(context: typer.Context, name: str) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.get_trigger(name))


@trigger.command("history")
def trigger_history(context: typer.Context, name: str, limit: Limit = 30) -> None:
    """Every revision, newest first: who applied it, when and why, and what it changed."""
    screen = terminal(context)
    with screen.client() as client:
        show_history(screen, client.trigger_history(name), limit)


@trigger.command("delete")
def delete_trigger(context: typer.Context, name: str, reason: Why = None) -> None:
    screen = terminal(context)
    with screen.client() as client:
        client.delete_trigger(name, reason)
    screen.tell(f"trigger {name} is gone; its evaluations and its history stay")


@trigger.command()
def evaluations(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument()] = None,
    event: Annotated[str | None, typer.Option(help="an event's id")] = None,
    outcome: str | None = None,
    limit: Limit = 30,
) -> None:
    """What a trigger answered to each event, and why it did not fire."""
    screen = terminal(context)
    with screen.client() as client:
        asked = client.list_evaluations(trigger=name, event=event, outcome=outcome)
        found = list(islice(asked, limit))
        if not found and name is not None:
            next(client.trigger_history(name), None)  # refuses a name that nothing ever had
    screen.rows(found, ("at", "trigger", "event_type", "event_id", "outcome", "reason"), empty="no evaluations")


@pipeline.command("spec")
def pipeline_spec(context: typer.Context, example: specs.AsExample = False) -> None:
    """Every field of the file that `apply` takes: type, default, unit and meaning."""
    specs.show(terminal(context), PipelineSpec, example)


@trigger.command("spec")
def trigger_spec(context: typer.Context, example: specs.AsExample = False) -> None:
    """Every field of the file that `apply` takes: type, default, unit and meaning."""
    specs.show(terminal(context), TriggerSpec, example)


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
    if ended.phase != "Succeeded":
        raise typer.Exit(FAILED)
