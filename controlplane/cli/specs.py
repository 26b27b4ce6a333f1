"""`graftwork … spec`: every field of a document that people write, and an example of it as YAML."""

from typing import Annotated, Any

import typer

from controlplane.cli.output import Terminal, as_yaml, refuse
from schemas.jobs import JOB_KINDS, SPECS
from schemas.reference import examples, rows

AsExample = Annotated[bool, typer.Option("--example", help="a document with every field, to start from")]
COLUMNS = ("path", "type", "default", "unit", "range", "meaning")


def spec_of(kind: str) -> Any:
    """The spec of a kind of job."""
    for known, spec in SPECS.items():
        if known == kind:
            return spec
    refuse(f"{kind!r}: expected one of {', '.join(JOB_KINDS)}")


def show(screen: Terminal, model: Any, as_example: bool, **first: Any) -> None:
    """`first`: what a file names besides the fields."""
    if as_example:
        screen.write(example(model, **first).rstrip())
    else:
        screen.rows(rows(model), COLUMNS)


def example(model: Any, **first: Any) -> str:
    """The YAML, with the meaning above each field; what may be left out is a comment."""
    lines = [f"# {(model.__doc__ or '').splitlines()[0]}", *(as_yaml({key: value}, "") for key, value in first.items())]
    for one in examples(model):
        written = as_yaml({one.name: one.value}, "")
        lines += ["", f"# {one.words}"]
        lines += [f"# {line}" for line in written.splitlines()] if one.left_out else [written]
    return "\n".join(lines) + "\n"
