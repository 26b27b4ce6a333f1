"""`graftwork trigger …`"""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.output import Limit, terminal
from controlplane.cli.verbs.histories import show_history
from controlplane.cli.verbs.models import Why
from schemas.pipelines import TriggerSpec

trigger = typer.Typer(no_args_is_help=True, help="Triggers: an event to a pipeline, and why one did not fire.")


def register(app: typer.Typer) -> None:
    app.add_typer(trigger, name="trigger")


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


@trigger.command("spec")
def trigger_spec(context: typer.Context, example: specs.AsExample = False) -> None:
    """Every field of the file that `apply` takes: type, default, unit and meaning."""
    specs.show(terminal(context), TriggerSpec, example)
