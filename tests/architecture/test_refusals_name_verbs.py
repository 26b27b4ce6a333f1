"""What is refused says which verb helps, never which path: most who read it typed a verb."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.domain.roles import MAY

ROOT = Path(__file__).parents[2] / "controlplane"
SAYS = frozenset({"refuse", "write", "tell"})
"""Calls whose text a person reads on a terminal; what is raised becomes a problem's detail, and a line of the CLI."""
PATHS = ("/v1/", "POST ", "PUT ", "DELETE ")


def told(file: Path) -> Iterator[str]:
    """Every piece of text in what the file raises or says."""
    for node in ast.walk(ast.parse(file.read_text())):
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if isinstance(node, ast.Raise) or name in SAYS:
            for part in ast.walk(call):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_refusal_names_a_path(file: Path) -> None:
    assert [text for text in told(file) if any(path in text for path in PATHS)] == []


def test_no_role_is_described_by_a_path() -> None:
    assert [words for words in MAY.values() if any(path in words for path in PATHS)] == []


def test_what_is_raised_and_said_is_found(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("def f(x):\n    refuse(f'{x}: POST /v1/a')\n    raise Conflict('GET /v1/b', field='c')\n")
    assert set(told(file)) == {": POST /v1/a", "GET /v1/b", "c"}
