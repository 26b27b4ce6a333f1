"""`graftwork model …`: versions, what was learnt about them, and aliases."""

from typing import Annotated, Any
from uuid import UUID

import typer

from controlplane.cli.output import refuse, terminal
from controlplane.client import ApiError, Client
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
            list(client.list_model_versions(name)), ("version", "id", "labels", "privacy.epsilon", "created_at")
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
    """An attachment in one line."""
    data: dict[str, Any] = attachment.data
    if attachment.kind == "evaluate":
        accuracy = data["accuracy"]
        return (
            f"{data['split']}: accuracy {accuracy['value']:.4f} [{accuracy['low']:.4f}, {accuracy['high']:.4f}], "
            f"macro-F1 {data['macro_f1']:.4f}, {accuracy['n']} rows{_learnt(data)}{_beside(data)}"
        )
    if attachment.kind == "attack":
        worst = data["worst_success_rate"]
        return (
            f"{data['recipe']} on {data['split']}: {data['succeeded']} succeeded, {data['failed']} failed, "
            f"{data['out_of_budget']} out of budget, {data['skipped']} skipped; success rate "
            f"{data['success_rate']['value']:.2f}, at worst {worst['value']:.2f} "
            f"[{worst['low']:.2f}, {worst['high']:.2f}], {data['mean_queries']:.0f} queries a row"
            f"{_learnt(data)}{_beside(data)}"
        )
    return f"largest difference of a logit {data['max_abs_diff']:.2g} over {data['rows']} rows"


def _learnt(data: dict[str, Any]) -> str:
    """What makes it worthless to a gate."""
    return f", {data['rows_trained_on']} of them trained on" if data["rows_trained_on"] else ""


def _beside(data: dict[str, Any]) -> str:
    """How it compares with another version on the same rows."""
    if (paired := data["paired"]) is None:
        return ""
    return f"; {paired['difference']:+.4f} [{paired['low']:+.4f}, {paired['high']:+.4f}] against {paired['against']}"
