"""`graftwork dlq …`"""

import typer

from controlplane.cli.output import terminal

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be read or finished, as it came.")


def register(app: typer.Typer) -> None:
    app.add_typer(dlq, name="dlq")


@dlq.command("list")
def list_letters(context: typer.Context, status: str | None = None) -> None:
    screen = terminal(context)
    with screen.client() as client:
        letters = list(client.list_dead_letters(status=status))
    screen.rows(letters, ("id", "at", "consumer", "topic", "status", "attempts", "reason"), empty="no dead letters")


@dlq.command()
def show(context: typer.Context, letter_id: str) -> None:
    """The whole letter: role auditor."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.get_dead_letter(letter_id))


@dlq.command()
def replay(context: typer.Context, letter_id: str) -> None:
    """Its consumer tries again."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.replay_dead_letter(letter_id))


@dlq.command()
def discard(context: typer.Context, letter_id: str) -> None:
    """Close it without its effect."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.discard_dead_letter(letter_id))
