"""What README.md and docs/ say is so: commands exist with their options, tables are generated, links lead somewhere.

And what the code says of itself stands alone: the tables and the OpenAPI document are made of its docstrings.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml
from typer.core import TyperGroup

from controlplane.cli.app import graftwork, hoist
from controlplane.settings import Settings
from deploy.reference_tables import DOCUMENT, FIELDS, fields_document, with_tables
from schemas.facts import EVENTS
from schemas.rollouts import CanaryPolicy, Gate, RolloutPolicy
from workers.runtime.settings import WorkerSettings
from workers.serve.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
PACKAGES = ("controlplane", "processes", "schemas", "workers")
DOCUMENTS = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
REFERENCE = DOCUMENTS[DOCUMENT]
TEXT = "\n".join(DOCUMENTS.values()).replace("\\\n", " ")
"""All of them, each command on one line."""
TYPED = re.compile(r"^(?:\$|#[^:`]*:) (?:[A-Z_]+=\S+ )*(graftwork [^#\n]*)", re.MULTILINE)
"""A line of a code block: `$ graftwork …`, or `# file.yaml: graftwork …`."""
NAMED = re.compile(r"`(graftwork [^`]+)`")
GRAFTWORK = typer.main.get_command(graftwork())


def typed() -> list[str]:
    """Whole commands: one a piece of a shell line."""
    pieces = [piece.split(">")[0].strip() for line in TYPED.findall(TEXT) for piece in line.split("&")]
    return [piece for piece in pieces if piece.startswith("graftwork ")]


def resolve(line: str) -> tuple[Any, typer.Context, list[str]]:
    """The verb that a line calls, and what follows it."""
    command: Any = GRAFTWORK
    context = typer.Context(command, info_name="graftwork")
    words = hoist(shlex.split(line.replace("…", ""))[1:])
    if isinstance(command, TyperGroup):
        words = command.make_parser(context).parse_args(words)[1]
    while isinstance(command, TyperGroup):
        assert words, f"{line}: a verb is missing"
        found = command.get_command(context, words[0])
        assert found is not None, f"{line}: there is no {words[0]!r}"
        command, context, words = found, typer.Context(found, context, words[0]), words[1:]
    return command, context, words


def test_a_file_that_a_document_names_is_there() -> None:
    """Words in capitals stand for a name: `controlplane/kinds/KIND.py`."""
    folders = (*PACKAGES, "deploy", "tests")
    files = [str(file.relative_to(ROOT)) for folder in folders for file in (ROOT / folder).rglob("*.py")]
    named = {name for text in DOCUMENTS.values() for name in re.findall(r"`([a-z_/.]+\.py)`", text) if "/" in name}
    assert len(named) > 20
    assert [name for name in sorted(named) if not any(f"/{file}".endswith(f"/{name}") for file in files)] == []


def test_there_are_commands_to_check() -> None:
    assert len(typed()) > 10
    assert len(NAMED.findall(TEXT)) > 5


@pytest.mark.parametrize("line", typed())
def test_a_command_of_a_code_block_can_be_typed_as_it_stands(line: str) -> None:
    command, context, words = resolve(line)
    command.make_context(context.info_name, words, parent=context.parent)


@pytest.mark.parametrize("line", sorted(set(NAMED.findall(TEXT))))
def test_a_command_in_the_text_exists_with_its_options(line: str) -> None:
    command, context, words = resolve(line)
    context.ignore_unknown_options = command.context_settings.get("ignore_unknown_options", False)
    context.allow_extra_args = True
    command.make_parser(context).parse_args(words)


def test_the_tables_are_up_to_date() -> None:
    assert with_tables(REFERENCE) == REFERENCE, "run `make generate`"
    assert fields_document() == DOCUMENTS[FIELDS], "run `make generate`"


@pytest.mark.parametrize("settings", [Settings, WorkerSettings, GatewaySettings])
def test_every_setting_is_in_the_table(settings: type[Settings]) -> None:
    on_the_line = {"deployment", "name"} if settings is GatewaySettings else set()
    missing = [name for name in settings.model_fields if f"`GRAFTWORK_{name.upper()}`" not in REFERENCE]
    assert set(missing) == on_the_line


def test_every_event_says_when_it_is_true() -> None:
    inherited = EVENTS[0].__mro__[1].__doc__
    assert [event.TYPE for event in EVENTS if event.__doc__ in (None, "", inherited)] == []
    assert [event.TYPE for event in EVENTS if f"`{event.TYPE}`" not in REFERENCE] == []


def test_the_policy_is_shown_whole_with_its_defaults() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    policy = yaml.safe_load(block)["policy"]
    spec = RolloutPolicy.model_validate(policy)
    assert set(policy) == set(RolloutPolicy.model_fields)
    assert set(policy["canary"]) == set(CanaryPolicy.model_fields)
    assert spec.canary.model_copy(update={"metrics": CanaryPolicy().metrics}) == CanaryPolicy()
    for shown, read in zip(
        policy["gates"] + policy["canary"]["metrics"], spec.gates + spec.canary.metrics, strict=True
    ):
        assert set(shown) == set(type(read).model_fields)
    assert len({gate.gate for gate in spec.gates}) == len(get_args(get_args(Gate)[0]))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_it_links_to_is_there(document: Path) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[document]) if "://" not in link]
    assert [link for link in links if link and not (document.parent / link).exists()] == []


def dangling(source: str) -> Iterator[int]:
    """The lines of docstrings, of attributes' too, that begin with "Of": they mean nothing without the name above."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))) if text.split(maxsplit=1)[:1] == ["Of"]:
                yield node.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_a_docstring_stands_alone(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert [f"{file.relative_to(ROOT)}:{line}" for file in files for line in dangling(file.read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        '"""Of a module."""',
        'def rows() -> int:\n    """Of one batch."""\n    return 1',
        'class Batch:\n    rows: int\n    """\n    Of one batch.\n    """',
        'def __init__(self):\n    self.rows = 1\n    """Of\n    one batch."""',
    ],
)
def test_one_that_begins_with_of_is_found_wherever_it_stands(source: str) -> None:
    assert len(list(dangling(source))) == 1


@pytest.mark.parametrize(
    "source", ['"""Offsets of a batch."""', '"""Rows. Of one batch."""', 'text = "Of one batch."', "# Of"]
)
def test_one_that_does_not_is_let_through(source: str) -> None:
    assert list(dangling(source)) == []
