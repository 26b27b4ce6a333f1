"""`graftwork model …`: versions, what was learnt about them, and aliases."""

from typing import Annotated
from uuid import UUID

import typer

from controlplane.cli.output import refuse, terminal
from controlplane.client import ApiError, Client
from controlplane.kinds import KINDS
from schemas.jobs import RESULTS
from schemas.views.models import AttachmentView

model = typer.Typer(no_args_is_help=True, help="Models: immutable versions, attachments, aliases with their history.")
Reason = Annotated[str, typer.Option("--reason", "-r", help="why; kept for good")]
Why = Annotated[str | None, typer.Option("--reason", "-r", help="why; kept in its history for good")]


def register(app: typer.Typer) -> None:
    app.add_typer(model, name="model")


@model.command("list")
def list_(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(list(client.list_models()), ("name", "versions", "aliases", "created_at"), empty="no models")


@model.command()
def versions(context: typer.Context, name: str) -> None:
    """Newest first."""
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(
            list(client.list_model_versions(name)),
            ("version", "id", "identity.task.type", "identity.method.type", "privacy.epsilon", "created_at"),
        )


@model.command()
def get(context: typer.Context, reference: Annotated[str, typer.Argument(help="id, name/7 or name@alias")]) -> None:
    """One version: identity, lineage, and what was learnt about it."""
    screen = terminal(context)
    with screen.client() as client:
        found = client.get_model_version(reference)
    if screen.as_json:
        screen.print_json(found)
        return
    screen.show({**found.model_dump(exclude={"attachments", "lineage"}), **found.lineage.model_dump()})
    screen.point_at(found)
    for attachment in found.attachments:
        screen.write(f"{screen.bold(attachment.kind)} {words(attachment)}")


@model.command("alias")
def alias_(
    context: typer.Context,
    name: str,
    alias: str,
    version: Annotated[str, typer.Argument(help="id, name/7 or name@alias")],
    reason: Reason,
    expected: Annotated[str | None, typer.Option(help="the move you saw last; default: read it now")] = None,
) -> None:
    """Point an alias at a version, if nobody moved it meanwhile."""
    screen = terminal(context)
    with screen.client() as client:
        seen = move_id(expected) if expected else last_move(client, name, alias)
        screen.show(client.set_alias(name, alias, version, reason=reason, expected=seen))


@model.command()
def history(context: typer.Context, name: str, alias: str) -> None:
    """Every move of an alias: who, when, why, on what evidence."""
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(
            list(client.alias_history(name, alias)), ("at", "version", "actor", "reason", "verified", "evidence_digest")
        )


def move_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        refuse(f"--expected: {given!r}: expected the id of a move, as `graftwork model history --json` shows it")


def last_move(client: Client, name: str, alias: str) -> UUID | None:
    try:
        return client.get_alias(name, alias).id
    except ApiError as error:
        if error.code == 404:
            return None
        raise


def words(attachment: AttachmentView) -> str:
    """An attachment in one line; of a kind that this client is too old to know, its digest."""
    for kind, known in KINDS.items():
        if kind == attachment.kind:
            return known.summary(RESULTS[kind].model_validate(attachment.data))
    return attachment.digest
