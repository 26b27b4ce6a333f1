"""`graftwork audit …`: who changed or was refused what, when and why; and whether anybody has changed the log."""

import csv
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.cli.output import FAILED, Limit, terminal

audit = typer.Typer(no_args_is_help=True, help="The audit log: roles auditor and admin.")
Actor = Annotated[str | None, typer.Option(help="a token's name")]
Action = Annotated[str | None, typer.Option(help="as rollout.promote, or rollout alone")]
Subject = Annotated[str | None, typer.Option(help="as deployment/reviews, or deployment alone")]
Outcome = Annotated[str | None, typer.Option(help="done or refused")]
Since = Annotated[str | None, typer.Option(help="RFC 3339, this moment included")]
COLUMNS = ("seq", "at", "actor", "role", "action", "subject", "outcome", "status", "reason", "detail")


def register(app: typer.Typer) -> None:
    app.add_typer(audit, name="audit")


@audit.command("list")
def list_(
    context: typer.Context,
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    outcome: Outcome = None,
    since: Since = None,
    limit: Limit = 50,
) -> None:
    """Newest first."""
    screen = terminal(context)
    filters = {"actor": actor, "action": action, "subject": subject, "outcome": outcome, "since": since}
    with screen.client() as client:
        found = list(islice(client.list_audit_entries(**filters), limit))
    screen.rows(found, COLUMNS, empty="no entries")


@audit.command()
def show(context: typer.Context, entry: Annotated[str, typer.Argument(help="its seq or its id")]) -> None:
    """One entry, with what changed by field."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.get_audit_entry(entry))


@audit.command()
def export(
    context: typer.Context,
    as_csv: Annotated[bool, typer.Option("--csv", help="a table; else one JSON object a line")] = False,
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339, this moment excluded")] = None,
) -> None:
    """Every entry, oldest first, to stdout: with its digests, so that `audit verify --file` can follow the chain."""
    with terminal(context).client() as client:
        entries = client.list_audit_entries(order="oldest", since=since, until=until)
        documents = (entry.model_dump(mode="json") for entry in entries)
        if not as_csv:
            for document in documents:
                sys.stdout.write(json.dumps(document) + "\n")
            return
        writer: Any = None
        for document in documents:
            writer = writer or _with_header(csv.DictWriter(sys.stdout, list(document)))
            writer.writerow({key: _cell(value) for key, value in document.items()})


@audit.command()
def verify(
    context: typer.Context,
    file: Annotated[Path | None, typer.Option(help="an export as JSON lines, instead of the API")] = None,
) -> None:
    """Recompute every digest of the chain, and compare it with what the event log tells; exit 1 when one differs."""
    from controlplane.domain.audit import ChainCheck
    from schemas.views.audit import AuditEntry

    screen = terminal(context)
    if file is not None:
        check = ChainCheck({})
        for line in file.read_text().splitlines():
            check.add(AuditEntry.model_validate_json(line))
    else:
        with screen.client() as client:
            check = ChainCheck(client.told_audit_digests())
            for entry in client.list_audit_entries(order="oldest"):
                check.add(entry)
    faults = check.finish()
    if screen.as_json:
        screen.print_json({"entries": check.entries, "head": check.head, "faults": faults})
    else:
        for fault in faults:
            screen.write(fault)
        screen.write(f"{check.entries} entries, {len(faults)} faults; the newest digest is {check.head}")
    if faults:
        raise typer.Exit(FAILED)


def _with_header(writer: "csv.DictWriter[str]") -> "csv.DictWriter[str]":
    writer.writeheader()
    return writer


def _cell(value: Any) -> Any:
    """A spreadsheet takes text that begins like a formula for one."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
