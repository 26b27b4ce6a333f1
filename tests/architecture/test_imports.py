"""What import-linter cannot say: allow-lists, and imports that no import statement shows."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ML_LIBRARIES = ("torch", "transformers", "peft", "onnxruntime", "opacus", "textattack", "numpy")


@pytest.mark.parametrize("package", ["schemas", "processes"])
def test_what_both_sides_stand_on_needs_pydantic_only(package: str) -> None:
    graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
    outside = {
        imported.split(".")[0]
        for module in graph.modules
        if module.startswith(package)
        for imported in graph.find_modules_directly_imported_by(module)
    }
    assert outside - set(sys.stdlib_module_names) <= {package, "pydantic"}


@pytest.mark.parametrize("module", ["controlplane.__main__", "controlplane.api.app", "controlplane.client"])
def test_the_control_plane_loads_no_machine_learning_library(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {ML_LIBRARIES!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_verb_that_only_asks_the_api_does_not_load_what_processes_are_made_of() -> None:
    heavy = ("sqlalchemy", "alembic", "fastapi", "uvicorn", "kafka", "pyarrow")
    code = f"import sys, controlplane.cli.app; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


OF_A_SITE_WITHOUT_SERVERS = [
    ("controlplane.api.app, controlplane.cli.processes.machine", ("alembic", "psycopg", "kafka", "httpx")),
    (
        "controlplane.reconciler, controlplane.cli.processes.machine",
        ("alembic", "psycopg", "kafka", "httpx", "fastapi"),
    ),
    (
        "controlplane.reactions.loop, controlplane.cli.processes.machine",
        ("alembic", "psycopg", "kafka", "httpx", "fastapi"),
    ),
    ("workers.runtime.__main__", ("kafka", "huggingface_hub", "pypi_simple", "requests", "fsspec.asyn", "numpy")),
    ("workers.runtime.child", ("kafka", "huggingface_hub", "pypi_simple", "requests", "httpx", "numpy")),
    ("workers.serve.__main__", ("kafka", "huggingface_hub", "pypi_simple", "requests", "sqlalchemy")),
]
"""What `graftwork up` starts, and what none of them needs on SQLite without Kafka: it is paid at every start."""


@pytest.mark.parametrize(("modules", "needless"), OF_A_SITE_WITHOUT_SERVERS)
def test_a_process_loads_no_client_of_a_server_that_its_site_does_without(
    modules: str, needless: tuple[str, ...]
) -> None:
    code = f"import sys, {modules}; print([m for m in {needless!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_gateway_and_the_model_session_load_no_torch() -> None:
    code = "import sys, workers.serve.app, workers.graph.session; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_command_hides_an_import() -> None:
    """An import in a function, or for types alone, is how two modules that need each other get past the contracts."""
    hidden = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for folder in ("commands", "duties")
        for file in sorted((ROOT / "controlplane" / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset
    ]
    assert hidden == []


def test_every_database_of_a_process_of_ours_knows_what_goes_on_when_something_ends() -> None:
    """Migrations end nothing. Whoever else opens one without its continuations could not complete a job."""
    opened = [
        str(file.relative_to(ROOT / "controlplane"))
        for file in sorted((ROOT / "controlplane").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Database"
    ]
    assert opened == ["continuations.py", "store/migrations/env.py"]
