"""`graftwork token …`"""

from typing import Annotated, get_args

import typer

from controlplane.cli.output import refuse, terminal
from schemas.roles import Role

token = typer.Typer(no_args_is_help=True, help="Bearer tokens: for admins, but for `whoami`.")
ROLES = get_args(Role)


def register(app: typer.Typer) -> None:
    app.add_typer(token, name="token")


@token.command()
def create(
    context: typer.Context,
    role: Annotated[str, typer.Option(help=", ".join(ROLES))],
    name: Annotated[str, typer.Option(help="whose it is")],
) -> None:
    """Mint a token: it is shown once, on stdout, alone."""
    known: dict[str, Role] = {one: one for one in ROLES}
    if role not in known:
        refuse(f"--role: {role!r}: expected one of {', '.join(ROLES)}")
    screen = terminal(context)
    with screen.client() as client:
        made = client.create_token(name, known[role])
    if screen.as_json:
        screen.print_json(made)
    else:
        screen.write(made.token)


@token.command("list")
def list_(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(client.list_tokens(), ("id", "name", "role", "created_at", "created_by", "revoked_at"))


@token.command()
def whoami(context: typer.Context) -> None:
    """Whose token this is, and as what it may act: any role."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.caller())


@token.command()
def revoke(context: typer.Context, token_id: str) -> None:
    """From now on it opens nothing."""
    screen = terminal(context)
    with screen.client() as client:
        client.revoke_token(token_id)
    screen.tell("revoked")
