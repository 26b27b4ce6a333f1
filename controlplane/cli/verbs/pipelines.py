"""`graftwork pipeline …`"""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.output import Limit, terminal
from controlplane.cli.verbs.histories import show_history
from controlplane.cli.verbs.jobs import Wait
from controlplane.cli.verbs.models import Why
from controlplane.cli.verbs.runs import exit_if_it_ended_badly, follow
from schemas.pipelines import PipelineSpec

pipeline = typer.Typer(no_args_is_help=True, help="Pipelines: a small DAG of job templates.")


def register(app: typer.Typer) -> None:
    app.add_typer(pipeline, name="pipeline")


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
    """Run it now, with other params than its defaults. Exit 1 when it has failed at once; only -w waits for more."""
    screen = terminal(context)
    with screen.client() as client:
        started = client.run_pipeline(name, documents.pairs(params or []))
        if wait:
            follow(screen, client, started)
        else:
            screen.show(started)
            exit_if_it_ended_badly(started)


@pipeline.command("spec")
def pipeline_spec(context: typer.Context, example: specs.AsExample = False) -> None:
    """Every field of the file that `apply` takes: type, default, unit and meaning."""
    specs.show(terminal(context), PipelineSpec, example)
