"""`graftwork events …`"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer

from controlplane.cli import documents
from controlplane.cli.output import FAILED, Terminal, refuse, terminal
from controlplane.cli.table import one_line
from schemas.cloudevent import FeedEvent
from schemas.facts import AuditRecorded, short_name
from schemas.pipelines import TriggerOutcome

TAKEN: Final[frozenset[TriggerOutcome]] = frozenset({"fired", "debouncing", "deferred", "superseded", "duplicate"})
"""An event has, or will have, its effect: perhaps together with a later one, or by an earlier one of the same key."""
MOST_IN_A_PAGE: Final = 1000
"""What the API gives out at once."""
events = typer.Typer(no_args_is_help=True, help="The event log, and the door for other people's events.")


def register(app: typer.Typer) -> None:
    app.add_typer(events, name="events")


@events.command("list")
def list_(
    context: typer.Context,
    after: Annotated[int | None, typer.Option(help="a seq: those after it; default: the newest")] = None,
    type: Annotated[list[str] | None, typer.Option(help="only these types, such as job.failed")] = None,
    audit: Annotated[bool, typer.Option("--audit", help="also what tells of the audit log (audit.recorded)")] = False,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="and then each one as it happens")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST_IN_A_PAGE, help="how many at most before that")] = 50,
) -> None:
    """Facts in their order, the newest last. With --json one event a line."""
    screen = terminal(context)
    wanted: dict[str, Any] = {"types": type or (), "without": () if audit or type else (AuditRecorded.TYPE,)}
    with screen.client() as client:
        page = client.read_events(after, limit=limit, **wanted)
        _print(screen, page.items)
        while follow:
            page = client.read_events(page.last, wait=20, **wanted)
            _print(screen, page.items)


def _print(screen: Terminal, found: list[FeedEvent]) -> None:
    for event in found:
        if screen.as_json:
            sys.stdout.write(event.model_dump_json() + "\n")
        else:
            screen.write(one_line(line(event)))
    sys.stdout.flush()


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

    Exit 1 when no trigger took it, or one that listens could not use its data (`invalid`). What a run that it started
    comes to is not waited for.
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
    outcomes = {one.outcome for one in receipt.evaluations}
    if outcomes.isdisjoint(TAKEN):
        refuse("no trigger took it", FAILED)
    if "invalid" in outcomes:
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
