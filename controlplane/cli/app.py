"""Assembles `graftwork`: global options anywhere on the line, verbs by noun, one exit code a kind of trouble."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from controlplane.cli.output import FAILED, REFUSED, UNREACHABLE, Terminal, refuse
from controlplane.client import ApiError, Unreachable
from controlplane.errors import GraftworkError
from controlplane.settings import Settings
from processes.file_permissions import keep_private
from schemas import faults
from schemas.faults import FieldFault

GLOBAL_OPTIONS = {"--json": 0, "--home": 1, "--api-url": 1, "--token-file": 1}
"""May stand anywhere on the line; the number is how many values follow."""

UNAUTHORIZED: Final = 401
WHERE_TOKENS_ARE: Final = (
    "verbs take it from GRAFTWORK_TOKEN, from the file of GRAFTWORK_TOKEN_FILE or --token-file, or from admin.token in "
    "GRAFTWORK_HOME or --home"
)
WORDS_OF_A_LIBRARY: Final = re.compile(r"Input should be (?:a valid )?|Value error, (?=Input)")
MODULES: Final = {
    "processes.up": ("up",),
    "demo.verb": ("demo",),
    "processes.verbs": ("api", "ui", "relay", "reactions", "reconciler", "worker", "serve", "db"),
    "verbs.datasets": ("dataset",),
    "verbs.models": ("model",),
    "verbs.jobs": ("job",),
    "verbs.pipelines": ("pipeline",),
    "verbs.runs": ("run",),
    "verbs.triggers": ("trigger",),
    "verbs.deployments": ("deployment",),
    "verbs.rollouts": ("rollout", "why"),
    "simulation.simulate_verb": ("simulate",),
    "verbs.events": ("events",),
    "verbs.dead_letters": ("dlq",),
    "verbs.tokens": ("token",),
    "verbs.audit": ("audit",),
    "verbs.version": ("version",),
    "verbs.status": ("status",),
    "verbs.predictions": ("predict", "feedback"),
}
"""A module of this package and what it registers, in the order of the help."""


def graftwork(noun: str | None = None) -> typer.Typer:
    """The command: with the module of one noun alone, so that a verb waits for no other's imports; else with all."""
    app = typer.Typer(
        name="graftwork",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="New data becomes a promoted adapter, by events. [dim]Exit codes: 0 done, 1 done and ended badly, "
        "2 refused, 3 no API answered. --json, --home, --api-url and --token-file may stand anywhere.[/dim]",
    )
    app.callback()(options)
    for module in [name for name, nouns in MODULES.items() if noun in nouns] or MODULES:
        import_module(f"controlplane.cli.{module}").register(app)
    return app


def options(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else")] = False,
    home: Annotated[Path | None, typer.Option(help="where the embedded mode keeps everything")] = None,
    api_url: Annotated[str | None, typer.Option(help="the API to talk to")] = None,
    token_file: Annotated[Path | None, typer.Option(help="a file that holds the bearer token")] = None,
) -> None:
    given: dict[str, Any] = {"home": home, "api_url": api_url, "token_file": token_file}
    context.obj = Terminal(read_settings(**{key: value for key, value in given.items() if value is not None}), as_json)


def read_settings(**given: Any) -> Settings:
    """From the line and the environment; exit 2 with the variable, its value and what was expected otherwise."""
    try:
        return Settings(**given)
    except ValidationError as error:
        refuse("; ".join(_wrong_setting(fault) for fault in faults.in_words(error)))


def _wrong_setting(fault: FieldFault) -> str:
    is_secret = "SecretStr" in str(Settings.model_fields[fault.field].annotation)
    shown = fault.without_value() if is_secret else fault
    return str(shown.model_copy(update={"field": "GRAFTWORK_" + fault.field.upper()}))


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit; whatever was refused is one line on stderr."""
    keep_private()
    line = hoist(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(lambda: graftwork(noun_of(line))(line, standalone_mode=False, prog_name="graftwork")))


def _run(verb: Callable[[], Any]) -> int:
    try:
        outcome = verb()
        return outcome if isinstance(outcome, int) else 0
    except typer.Exit as stop:
        return int(stop.exit_code)
    except BrokenPipeError:  # `graftwork job list | head`: the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        message, code = _trouble(error)
        return _say(message, code)


def _trouble(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit code. What nobody expected is raised again."""
    match error:
        case typer.TyperException():
            return WORDS_OF_A_LIBRARY.sub("expected ", error.format_message()), REFUSED
        case Unreachable():
            return f"{error}; is `graftwork up` running?", UNREACHABLE
        case ApiError() if error.code == UNAUTHORIZED:
            return f"{error} ({error.asked} was asked); {WHERE_TOKENS_ARE}", REFUSED
        case GraftworkError():
            return str(error), REFUSED
        case ValidationError():
            return faults.line(error), REFUSED
        case TimeoutError():
            return str(error), FAILED
        case OSError():
            return f"{error.filename or 'system'}: {error.strerror or error}", REFUSED
        case _:
            return _database_trouble(error)


def _database_trouble(error: Exception) -> tuple[str, int]:
    from sqlalchemy.exc import ArgumentError, OperationalError  # here: it takes a second, and most verbs open none

    if isinstance(error, ArgumentError | OperationalError):
        return f"the database cannot be opened: {error}", REFUSED
    raise error


def _say(message: str, code: int) -> int:
    sys.stderr.write("graftwork: " + " ".join(message.split()) + "\n")
    return code


def noun_of(line: Sequence[str]) -> str | None:
    """The first word of a hoisted line that is neither a global option nor its value."""
    words = iter(line)
    for word in words:
        if word not in GLOBAL_OPTIONS and word.split("=", 1)[0] not in GLOBAL_OPTIONS:
            return word
        if GLOBAL_OPTIONS.get(word):
            next(words, None)
    return None


def hoist(arguments: list[str]) -> list[str]:
    """Move global options to the front, so that `graftwork job list --json` works as people type it."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        name = word.split("=", 1)[0]
        if word == "--" or (not rest and word in ("worker", "serve")):  # what follows belongs to another program
            return front + rest + [word, *queue]
        if name not in GLOBAL_OPTIONS:
            rest.append(word)
            continue
        front.append(word)
        if GLOBAL_OPTIONS[name] and "=" not in word and queue:
            front.append(queue.pop(0))
    return front + rest
