"""`graftwork job …`"""

import sys
import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.output import FAILED, Limit, Terminal, terminal
from controlplane.cli.progress import Pace, of_job
from controlplane.cli.table import one_line
from controlplane.cli.watching import watch
from controlplane.client import Client
from schemas.views.jobs import JobView

job = typer.Typer(no_args_is_help=True, help="Jobs: ask for one, follow it, cancel it.")
Wait = Annotated[bool, typer.Option("-w", "--watch", help="follow it to its end; exit 1 unless it succeeds")]
COLUMNS = ("id", "kind", "phase", "attempt", "stage", "created_at", "reason")


def register(app: typer.Typer) -> None:
    app.add_typer(job, name="job")


@job.command("list")
def list_(
    context: typer.Context,
    phase: str | None = None,
    kind: str | None = None,
    run: str | None = None,
    limit: Limit = 50,
) -> None:
    """Newest first."""
    screen = terminal(context)
    with screen.client() as client:
        found = list(islice(client.list_jobs(phase=phase, kind=kind, run=run), limit))
    screen.rows(found, COLUMNS, empty="no jobs")


@job.command()
def get(context: typer.Context, job_id: str, wait: Wait = False) -> None:
    """One job: its spec, progress and result."""
    screen = terminal(context)
    with screen.client() as client:
        if wait:
            follow(screen, client, client.get_job(job_id))
        else:
            screen.show(client.get_job(job_id))


@job.command()
def request(
    context: typer.Context,
    kind: str,
    spec: Annotated[Path, typer.Argument(help="the spec, YAML or JSON")],
    max_attempts: int = 3,
    wait: Wait = False,
) -> None:
    """Ask for a job. Names in the spec (reviews@latest, sentiment@champion) are resolved by the API."""
    screen = terminal(context)
    with screen.client() as client:
        asked = client.request_job(kind, documents.load(spec), max_attempts=max_attempts)
        if wait:
            follow(screen, client, asked)
        else:
            screen.show(asked)


@job.command()
def spec(context: typer.Context, kind: str, example: specs.AsExample = False) -> None:
    """Every field of a kind's spec: type, default, unit and meaning."""
    specs.show(terminal(context), specs.spec_of(kind), example)


@job.command()
def cancel(context: typer.Context, job_id: str) -> None:
    """Pending: at once. Running: as soon as its worker hears of it."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.cancel_job(job_id))


@job.command()
def retry(context: typer.Context, job_id: str, wait: Wait = False) -> None:
    """A new job by the spec of one that failed or was cancelled: `graftwork events list` shows them as one journey."""
    screen = terminal(context)
    with screen.client() as client:
        asked = client.retry_job(job_id)
        if wait:
            follow(screen, client, asked)
        else:
            screen.show(asked)


@job.command()
def logs(
    context: typer.Context,
    job_id: str,
    wait: Annotated[bool, typer.Option("-f", "--follow", help="until the job has ended")] = False,
) -> None:
    """What the job said."""
    screen = terminal(context)
    after = 0
    with screen.client() as client:
        while True:
            ended = client.get_job(job_id).finished_at is not None
            lines = client.get_logs(job_id, after)
            if screen.as_json:
                screen.print_json(lines)
            for line in [] if screen.as_json else lines:
                screen.write(f"{line.at:%H:%M:%S} {one_line(line.line)}")
            after = lines[-1].seq if lines else after
            if not wait or (ended and not lines):
                return
            time.sleep(0.5)


@job.command()
def curves(context: typer.Context, job_id: str) -> None:
    """What it measured as it went: loss, learning rate. A private job has none."""
    from controlplane.cli.verbs.curves import picture, points  # here: only this verb draws

    screen = terminal(context)
    with screen.client() as client:
        found = client.get_curves(job_id)
    if screen.as_json:
        screen.print_json(found)
        return
    for curve in found.curves:
        screen.write(picture(curve, screen.width))
    if found.curves:
        screen.rows(points(found.curves), ("step", *(curve.name for curve in found.curves)))
    else:
        screen.tell(found.note or "none were measured")


def follow(screen: Terminal, client: Client, asked: JobView) -> JobView:
    """The job at its end; exit 1 unless it succeeds."""
    ended = watch(screen, lambda seen: client.wait_for_job(asked.id, seen=seen), of_job(Pace()))
    show_end(screen, ended)
    if ended.phase != "Succeeded":
        raise typer.Exit(FAILED)
    return ended


def show_end(screen: Terminal, ended: JobView) -> None:
    """What its result warns of, and the job."""
    for warning in (ended.result or {}).get("warnings", ()):
        sys.stderr.write(f"warning: {warning}\n")
    screen.show(ended)
