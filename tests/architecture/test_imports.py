"""What import-linter cannot say: allow-lists, and imports that no import statement shows."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

from schemas.jobs import JOB_KINDS

ROOT = Path(__file__).parents[2]
ML_LIBRARIES = ("torch", "transformers", "peft", "onnxruntime", "opacus", "textattack", "numpy")


def test_the_contract_needs_pydantic_only() -> None:
    graph = grimp.build_graph("schemas", include_external_packages=True, cache_dir=None)
    outside = {
        imported.split(".")[0]
        for module in graph.modules
        if module.startswith("schemas")
        for imported in graph.find_modules_directly_imported_by(module)
    }
    assert outside - set(sys.stdlib_module_names) <= {"schemas", "pydantic"}


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


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_every_job_kind_has_a_handler(kind: str) -> None:
    assert find_spec(f"workers.{kind}") is not None
    assert (ROOT / "workers" / kind / "handler.py").is_file()


def test_the_gateway_and_the_model_session_load_no_torch() -> None:
    code = "import sys, workers.serve.app, workers.model.session; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
