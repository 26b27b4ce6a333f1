"""What the CLI prints: tables for people, JSON for machines, one line and an exit code for what was refused."""

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import TypeAdapter

from controlplane.cli.table import one_line, table
from controlplane.settings import Settings

if TYPE_CHECKING:  # each verb imports of these what it uses
    from rich.console import Console

    from controlplane.client import Client

ANY = TypeAdapter(Any)
Limit = Annotated[int, typer.Option(min=1, help="how many at most")]
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

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(highlight=False)

    def client(self) -> "Client":
        from controlplane.client import Client

        if self.settings.lacks_home():  # the default address may be that of another site
            refuse(f"home {self.settings.home}: no such folder; expected one that `graftwork up --home` has made")
        return Client(self.settings.resolved_api_url(), self.settings.resolved_token())

    def say(self, text: str) -> None:
        """For people, with rich's markup: escape what is not ours. Silent with --json."""
        if not self.as_json:
            self.console.print(text, soft_wrap=self.width is None)

    def show(self, value: Any, without: Collection[str] = ()) -> None:
        """One thing: its JSON, or a line a field, and what is nested as YAML. Long values are not broken.

        `without`: fields that people have another verb for.
        """
        if self.as_json:
            self.print_json(value)
            return
        fields = ANY.dump_python(value, mode="json").items()
        items = {k: v for k, v in fields if v not in (None, [], {}, "") and k not in without}
        width = max(map(len, items), default=0)
        for key, item in items.items():
            name = self.bold(key) + " " * (width - len(key))
            self.write(f"{name}  {one_line(cell(item))}" if is_flat(item) else f"{name}\n{as_yaml(item)}")
        self.point_at(value)

    def point_at(self, thing: object) -> None:
        """Where the web UI shows it, where there is one."""
        from controlplane.client.addresses import page_of

        if not self.as_json and (path := page_of(thing)) and (site := self.settings.known_ui_url()):
            self.write(f"\nlook: {site.rstrip('/')}{path}")

    def rows(self, values: Sequence[Any], columns: Iterable[str], *, empty: str = "none") -> None:
        """Many things: a JSON list, or a table of some columns (dotted paths)."""
        items = ANY.dump_python(list(values), mode="json")
        if self.as_json:
            self.print_json(items)
        elif items:
            names = list(columns)
            cells = [[cell(dig(item, name)) for name in names] for item in items]
            head, *lines = table([name.split(".")[-1] for name in names], cells, self.width)
            self.write("\n".join([self.bold(head), *lines]))
        else:
            self.write(empty)

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None: a file or a pipe, which has no edge."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def tell(self, text: str) -> None:
        """For people, as it is. Silent with --json."""
        if not self.as_json:
            self.write(one_line(text))

    def remark(self, text: str) -> None:
        """For people who wait, at once; with --json on stderr, where it is in nobody's way."""
        stream = sys.stderr if self.as_json else sys.stdout
        stream.write(one_line(text) + "\n")
        stream.flush()

    def write(self, text: str) -> None:
        """As it is: nothing in it is markup."""
        sys.stdout.write(text + "\n")

    def bold(self, text: str) -> str:
        return text if self.width is None or "NO_COLOR" in os.environ else f"\x1b[1m{text}\x1b[0m"

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


def is_flat(value: Any) -> bool:
    """Whether it fits on the line of its key: no list or object inside another."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(part, dict | list) for part in parts)


def as_yaml(value: Any, indent: str = "  ") -> str:
    """As people write it in a file, indented."""
    import yaml  # here: most verbs show nothing nested

    lines = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6).splitlines()
    return "\n".join(indent + line for line in lines)


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
