"""`graftwork events …`"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from controlplane.cli import documents
from controlplane.cli.output import FAILED, refuse, terminal
from controlplane.cli.table import one_line
from schemas.cloudevent import FeedEvent
from schemas.facts import short_name

events = typer.Typer(no_args_is_help=True, help="The event log, and the door for other people's events.")


def register(app: typer.Typer) -> None:
    app.add_typer(events, name="events")


@events.command("list")
def list_(
    context: typer.Context,
    after: Annotated[int, typer.Option(help="a seq")] = 0,
    type: Annotated[list[str] | None, typer.Option(help="only these types, such as job.failed")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow")] = False,
) -> None:
    """Facts in their order. With --json one event a line."""
    screen = terminal(context)
    with screen.client() as client:
        while True:
            page = client.read_events(after, types=type, wait=20 if follow else 0)
            for event in page.items:
                if screen.as_json:
                    sys.stdout.write(event.model_dump_json() + "\n")
                else:
                    screen.write(one_line(line(event)))
            after = page.last
            if not follow and not page.items:
                return


@events.command()
def publish(
    context: typer.Context,
    type: Annotated[str, typer.Option(help="reverse-DNS, such as com.example.rows.collected")],
    source: Annotated[str, typer.Option(help="a URI reference of yours")],
    data: Annotated[str | None, typer.Option(help="JSON, or @file.json")] = None,
    id: Annotated[str | None, typer.Option(help="its identity together with the source; default: a new one")] = None,
    subject: str | None = None,
) -> None:
    """Hand in an event of yours; the answer says what each trigger made of it.

    Exit 1 when a trigger that listens could not use its data (`invalid`).
    """
    screen = terminal(context)
    event: dict[str, Any] = {"specversion": "1.0", "id": id or str(uuid4()), "source": source, "type": type}
    if subject:
        event["subject"] = subject
    if data is not None:
        event["data"] = payload(data)
        event["datacontenttype"] = "application/json"
    with screen.client() as client:
        receipt = client.publish_event(event)
    if screen.as_json:
        screen.print_json(receipt)
    else:
        screen.write(f"{one_line(receipt.id)}: {'came before, nothing was done' if receipt.repeated else 'received'}")
        screen.rows(receipt.evaluations, ("trigger", "outcome", "reason", "run_id"))
    if any(one.outcome == "invalid" for one in receipt.evaluations):
        raise typer.Exit(FAILED)


def line(event: FeedEvent) -> str:
    short = short_name(event.type)
    shown = {k: v for k, v in event.data.items() if v not in (None, [], "") and not k.endswith("_id")}
    facts = " ".join(f"{k}={v}" for k, v in shown.items())
    return f"{event.seq:6d} {event.time:%H:%M:%S} {short:32s} {event.subject.split('/')[0]:12s} {facts}"


def payload(given: str) -> Any:
    if given.startswith("@"):
        return documents.load(Path(given[1:]))
    try:
        return json.loads(given)
    except ValueError as error:
        refuse(f"--data: not JSON: {error}")
