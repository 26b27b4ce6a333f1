"""`graftwork demo`: the verb, without what it takes to run it."""

from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.output import terminal


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    context: typer.Context,
    short: Annotated[bool, typer.Option(help="fewer rows, as CI runs it")] = False,
    picture: Annotated[Path | None, typer.Option(help="write the last screen as a picture (SVG)")] = None,
) -> None:
    """Raw reviews to a first champion, a better one promoted by canary, a bad one rolled back."""
    from controlplane.cli.demo.story import SHORT, Size, run  # here: it takes seconds to import

    run(terminal(context), SHORT if short else Size(), picture)
