"""A kind of job is known in one place a side: what else in the control plane may name one is listed here."""

import ast
import tomllib
from importlib.util import find_spec
from pathlib import Path

import grimp
import pytest

from schemas.jobs import JOB_KINDS, JobKind
from workers.runtime.fork_server import libraries_of

ROOT = Path(__file__).parents[2]
NAME_KINDS = {
    "controlplane/cli/verbs/datasets.py": {"curate"},  # `dataset import` asks for a curation
    "controlplane/cli/demo/story.py": {"train"},
    "controlplane/cli/demo/summary.py": {"attack", "evaluate"},
    "controlplane/domain/document.py": {"merge"},  # YAML's merge key
}


def test_only_kinds_import_what_one_kind_has() -> None:
    graph = grimp.build_graph("schemas", "controlplane", cache_dir=None)
    importers = {one for kind in JOB_KINDS for one in graph.find_modules_that_directly_import(f"schemas.jobs.{kind}")}
    ours = {one for one in importers if one.startswith("controlplane.")}
    assert ours == {f"controlplane.kinds.{kind}" for kind in JOB_KINDS}


def test_no_other_module_of_the_control_plane_names_a_kind() -> None:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "controlplane").rglob("*.py"):
        named = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and node.value in JOB_KINDS
        }
        if named and path.parent.name != "kinds":
            found[str(path.relative_to(ROOT))] = named
    assert found == NAME_KINDS


def test_nobody_imports_what_does_jobs_of_a_kind_or_what_serves() -> None:
    """So no kind knows another, and what they share is one of the rooms below them, which import-linter orders."""
    graph = grimp.build_graph("workers", cache_dir=None)
    does_work = {f"workers.{name}" for name in (*JOB_KINDS, "serve")}
    assert graph.find_children("workers") - does_work == {f"workers.{room}" for room in _rooms()}
    for package in does_work:
        inside = {package, *graph.find_descendants(package)}
        importers = {one for module in inside for one in graph.find_modules_that_directly_import(module)}
        assert importers - inside == set(), package


def _rooms() -> set[str]:
    """Those that the contract of `workers` names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = (one["layers"] for one in contracts if one.get("containers") == ["workers"])
    return {room.strip() for layer in layers for room in layer.split("|")}


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_every_kind_has_a_handler_and_says_what_the_fork_server_loads(kind: JobKind) -> None:
    assert find_spec(f"workers.{kind}") is not None
    assert (ROOT / "workers" / kind / "handler.py").is_file()
    libraries = libraries_of(kind)
    assert libraries
    assert all(find_spec(library.partition(".")[0]) for library in libraries)
