"""`graftwork demo`: the verb, without what it takes to run it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from controlplane.cli.output import terminal

Task = Literal["classification", "generation"]


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    context: typer.Context,
    task: Annotated[
        Literal["classification", "generation"], typer.Option(help="what the adapters learn")
    ] = "classification",
    short: Annotated[bool, typer.Option(help="fewer rows, as CI runs it")] = False,
    picture: Annotated[Path | None, typer.Option(help="write the last screen as a picture (SVG)")] = None,
) -> None:
    """Raw reviews to a first champion, a better one promoted by canary, a bad one rolled back."""
    from controlplane.cli.demo.cases import CASES  # here: they take seconds to import
    from controlplane.cli.demo.story import run

    case = CASES[task]
    run(terminal(context), case, case.short if short else case.whole, picture)
