"""`graftwork audit …`: who changed or was refused what, when and why; and whether anybody has changed the log."""

import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from controlplane.cli.output import FAILED, Limit, Terminal, refuse, terminal
from schemas import faults
from schemas.views.audit import AuditEntry

if TYPE_CHECKING:
    from controlplane.domain.audit import ChainCheck

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
    screen.rows(found if screen.as_json else [_for_people(entry) for entry in found], COLUMNS, empty="no entries")


@audit.command()
def show(context: typer.Context, entry: Annotated[str, typer.Argument(help="its seq or its id")]) -> None:
    """One entry, with what changed by field."""
    screen = terminal(context)
    with screen.client() as client:
        found = client.get_audit_entry(entry)
    screen.show(found if screen.as_json else _for_people(found))


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
    against_api: Annotated[
        bool, typer.Option("--against-api", help="compare the file with the log itself, which shows what came after it")
    ] = False,
) -> None:
    """Recompute every digest of the chain, and compare it with what the event log tells; exit 1 when one differs.

    A file alone cannot show that its newest entries were cut off: it is told how far it reaches.
    """
    from controlplane.domain.audit import not_in

    if against_api and file is None:
        refuse("--against-api compares a file with the log: expected --file too")
    screen = terminal(context)
    kept = _follow_file(file) if file else None
    log = _follow_log(screen) if against_api or kept is None else None
    check = kept or log
    assert check is not None
    found = check.finish()
    if kept and log:
        found += [*log.finish(), *not_in(log, kept)]
    _tell(screen, check, found, None if file is None else _reach(kept, log))
    if found:
        raise typer.Exit(FAILED)


def _follow_file(file: Path) -> "ChainCheck":
    from controlplane.domain.audit import ChainCheck

    check = ChainCheck({})
    for entry in _read_export(file):
        check.add(entry)
    return check


def _follow_log(screen: Terminal) -> "ChainCheck":
    from controlplane.domain.audit import ChainCheck

    with screen.client() as client:
        check = ChainCheck(client.told_audit_digests())
        for entry in client.list_audit_entries(order="oldest"):
            check.add(entry)
    return check


def _read_export(file: Path) -> Iterator[AuditEntry]:
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield AuditEntry.model_validate_json(line)
        except ValidationError as error:
            is_json = error.errors()[0]["type"] != "json_invalid"
            what = faults.line(error, with_values=False) if is_json else "it is no JSON"
            refuse(
                f"{file}, line {number}: expected an entry of the audit log ({what}): what can be verified is an "
                "export as JSON lines, `graftwork audit export` without --csv"
            )


def _reach(kept: "ChainCheck | None", log: "ChainCheck | None") -> str:
    """How far a file reaches, and what is known of the log behind its end."""
    last = kept.last if kept else None
    seq = last.seq if last else 0
    end = f"the file ends with entry {seq} of {last.at:%Y-%m-%d %H:%M:%S} UTC" if last else "the file holds no entry"
    if log is None:
        return f"{end}: what came after it, or was cut off its end, cannot be seen in a file (see --against-api)"
    later = sum(1 for known in log.digests if known > seq)
    if not later:
        return f"{end}, as the log does"
    return f"{end}; the log goes on with {later} more: made after the export, or cut off its end"


def _tell(screen: Terminal, check: "ChainCheck", found: list[str], reach: str | None) -> None:
    if screen.as_json:
        last = check.last.model_dump(mode="json", include={"seq", "at"}) if check.last else None
        answer = {"entries": check.entries, "head": check.head, "last": last, "faults": found}
        screen.print_json(answer if reach is None else {**answer, "reach": reach})
        return
    for fault in found:
        screen.write(fault)
    screen.write(f"{check.entries} entries, {len(found)} faults; the newest digest is {check.head}")
    if reach:
        screen.write(reach)


def _for_people(entry: AuditEntry) -> dict[str, Any]:
    """Without what is nothing: the side of a change where there was no value, a status where nobody asked over HTTP."""
    document = entry.model_dump(mode="json")
    document["changes"] = {
        field: {side: value for side, value in change.items() if value is not None}
        for field, change in document["changes"].items()
    }
    return {name: value for name, value in document.items() if value != 0}


def _with_header(writer: "csv.DictWriter[str]") -> "csv.DictWriter[str]":
    writer.writeheader()
    return writer


def _cell(value: Any) -> Any:
    """A spreadsheet takes text that begins like a formula for one."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
