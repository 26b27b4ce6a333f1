"""What the CLI prints: tables for people, JSON for machines, one line and an exit code for what was refused."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.client import Client
from controlplane.settings import Settings

ANY = TypeAdapter(Any)
FAILED = 1
"""It was done, and ended badly: a job failed, a rollout was rolled back."""
REFUSED = 2
"""Bad input, or the API refused it."""
UNREACHABLE = 3
"""No API answered."""


@dataclass
class Terminal:
    """One invocation: settings, how to print, and a client when a verb needs one."""

    settings: Settings
    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False))

    def client(self) -> Client:
        return Client(self.settings.resolved_api_url(), self.settings.resolved_token())

    def say(self, text: str) -> None:
        """For people, with rich's markup: escape what is not ours. Silent with --json."""
        if not self.as_json:
            self.console.print(text)

    def show(self, value: Any, *, title: str = "") -> None:
        """One thing: its JSON, or two columns."""
        if self.as_json:
            self.print_json(value)
            return
        table = Table(title=title or None, show_header=False, box=None, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for key, item in ANY.dump_python(value, mode="json").items():
            if item not in (None, [], {}, ""):
                table.add_row(key, Text(cell(item)))
        self.console.print(table)

    def rows(self, values: Sequence[Any], columns: Iterable[str], *, empty: str = "none") -> None:
        """Many things: a JSON list, or a table of some columns (dotted paths)."""
        items = ANY.dump_python(list(values), mode="json")
        if self.as_json:
            self.print_json(items)
            return
        if not items:
            self.console.print(f"[dim]{empty}[/dim]")
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        names = list(columns)
        for name in names:
            table.add_column(name.split(".")[-1], overflow="fold")
        for item in items:
            table.add_row(*(Text(cell(dig(item, name))) for name in names))
        self.console.print(table)

    def print_json(self, value: Any) -> None:
        sys.stdout.write(ANY.dump_json(value, indent=2).decode() + "\n")
        sys.stdout.flush()


def terminal(context: typer.Context) -> Terminal:
    found = context.obj
    assert isinstance(found, Terminal)
    return found


def refuse(message: str, code: int = REFUSED) -> NoReturn:
    """One line on stderr, and the exit code."""
    sys.stderr.write("graftwork: " + " ".join(message.split()) + "\n")
    raise typer.Exit(code)


def dig(item: Any, path: str) -> Any:
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "  ".join(f"{key}={cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    text = str(value)
    if len(text) > 19 and text[4:5] == "-" and text[10:11] == "T" and text.endswith("Z"):
        return text[:19].replace("T", " ")
    return text
