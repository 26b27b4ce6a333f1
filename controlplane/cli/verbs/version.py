"""`graftwork version`"""

import typer

from controlplane.cli.output import terminal
from controlplane.settings import VERSION


def register(app: typer.Typer) -> None:
    app.command()(version)


def version(context: typer.Context) -> None:
    """This code's version."""
    screen = terminal(context)
    if screen.as_json:
        screen.print_json({"version": VERSION})
    else:
        screen.write(VERSION)
