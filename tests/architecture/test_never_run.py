"""Nothing that comes from elsewhere is ever run: no pickle, no remote code, no shell, no archive unpacked blindly."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from controlplane.domain import document

ROOT = Path(__file__).parents[2]
PACKAGES = ("controlplane", "workers", "processes", "schemas", "deploy")
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Whose loading runs code."""
CALLS = {
    "torch.load": "it unpickles; safetensors is what we read",
    "torch.save": "it pickles",
    "torch.hub.load": "it runs the repository's code",
    "np.load": "it may unpickle",
    "numpy.load": "it may unpickle",
    "pd.read_pickle": "it unpickles",
    "yaml.load": "yaml.safe_load builds nothing but plain values",
    "yaml.unsafe_load": "it builds whatever the document names",
    "yaml.full_load": "yaml.safe_load builds nothing but plain values",
    "nltk.data.load": "it unpickles",
    "shutil.unpack_archive": "workers.runtime.unpack counts and checks names",
    "os.system": "a shell",
    "os.popen": "a shell",
    "eval": "it runs text",
    "exec": "it runs text",
    "compile": "it compiles text",
    "__import__": "importlib.import_module of a closed list of names",
}
EXCEPTIONS = {"controlplane/domain/document.py": "yaml.load(body.decode('utf-8'), Loader=_Loader)"}
"""Its loader is a SafeLoader that takes even less."""
METHODS = {"extractall": "workers.runtime.unpack counts and checks names", "extract": "the same"}
ARGUMENTS = {"allow_pickle": True, "trust_remote_code": True, "weights_only": False, "shell": True}


def faults(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imports(node)
        elif isinstance(node, ast.Call) and ast.unparse(node) not in EXCEPTIONS.values():
            yield from _calls(node)


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    if found := {name.partition(".")[0] for name in names} & MODULES:
        yield f"line {node.lineno}: imports {', '.join(found)}"


def _calls(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    if why := CALLS.get(name) or METHODS.get(getattr(node.func, "attr", "")):
        yield f"line {node.lineno}: {name}: {why}"
    for keyword in node.keywords:
        wrong, value = ARGUMENTS.get(keyword.arg or ""), keyword.value
        if wrong is not None and not (isinstance(value, ast.Constant) and value.value is not wrong):
            yield f"line {node.lineno}: {name}({keyword.arg}={ast.unparse(value)})"


def test_no_code_of_ours_runs_what_comes_from_elsewhere() -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (wrong := list(faults(ast.parse(path.read_text()))))
    }
    assert found == {}


def test_the_exception_is_what_it_says() -> None:
    assert issubclass(document._Loader, yaml.SafeLoader)
    assert all(call in ast.unparse(ast.parse((ROOT / path).read_text())) for path, call in EXCEPTIONS.items())


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
        "AutoModel.from_pretrained(x, trust_remote_code=asked)",
        "yaml.load(text, Loader=yaml.Loader)",
        "subprocess.run(line, shell=True)",
        "archive.extractall(target)",
        "eval(text)",
    ],
)
def test_a_planted_one_is_found(planted: str) -> None:
    assert len(list(faults(ast.parse(planted)))) >= 1
