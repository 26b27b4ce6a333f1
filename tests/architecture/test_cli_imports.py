"""What a verb of the CLI imports: every import is a wait, and most verbs ask the API one question."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from controlplane.cli.app import MODULES, graftwork, noun_of
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[2]
ALLOWED = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions", "typer",
                     "shellingham", "annotated_doc"})  # fmt: skip
"""Third-party packages of a verb that asks the API and prints a table."""
READS_DOCUMENTS = ALLOWED | {"yaml"}
ASKING = (
    "version", "job list", "job get x", "run list", "pipeline list", "trigger list", "dataset list", "model list",
    "deployment list", "rollout list", "events list", "dlq list", "token list", "why x",
)  # fmt: skip
PROGRAM = """
import json, sys
from controlplane.cli.app import main
from controlplane.client import connection
connection.WAITS = ()
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print()
known = {*sys.stdlib_module_names, "cython_runtime"}
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} - known)))
"""


@cache
def imported_by(line: str) -> frozenset[str]:
    """Top-level packages of a process that ran the verb against a port where nobody listens."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    words = [sys.executable, "-c", PROGRAM, *line.split(), "--api-url", url]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {"__main__", "controlplane", "processes", "schemas", "workers", "graftwork"}
    editable = {name for name in json.loads(done.stdout.splitlines()[-1]) if not name.startswith("_")}
    return frozenset(editable - ours)


@pytest.mark.parametrize("line", ASKING)
def test_a_verb_that_asks_imports_little(line: str) -> None:
    assert imported_by(line) <= ALLOWED


def test_a_verb_that_reads_a_document_imports_yaml_besides(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("dataset: reviews\n")
    assert imported_by(f"job request curate {file}") <= READS_DOCUMENTS


def test_each_module_registers_the_nouns_that_it_is_loaded_for() -> None:
    for module, nouns in MODULES.items():
        for noun in nouns:
            app = graftwork(noun)
            found = {group.name for group in app.registered_groups}
            found |= {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
            assert found == set(nouns), module


@pytest.mark.parametrize(
    ("line", "noun"),
    [
        ("job list", "job"),
        ("--home demo --json job list", "job"),
        ("--home=demo job list", "job"),
        ("--json", None),
        ("", None),
        ("--help", "--help"),
    ],
)
def test_the_noun_is_the_first_word_that_is_no_global_option(line: str, noun: str | None) -> None:
    assert noun_of(line.split()) == noun
