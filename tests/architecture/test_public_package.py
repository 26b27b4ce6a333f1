"""`import graftwork`: what it offers, wherever it is imported, and that a wheel has it."""

import inspect
import subprocess
import sys
import typing
from pathlib import Path
from zipfile import ZipFile

import graftwork
from graftwork import Client, Gateway

ROOT = Path(__file__).parents[2]
HEAVY = {"sqlalchemy", "fastapi", "kafka", "typer", "rich", "torch"}
LIGHT = f"import sys, graftwork; print(sorted({HEAVY} & set(sys.modules)))"


def test_it_is_importable_from_anywhere_and_light(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_it_names_is_there() -> None:
    assert all(hasattr(graftwork, name) for name in graftwork.__all__)


def test_every_public_method_says_what_it_answers() -> None:
    for cls in (Client, Gateway):
        methods = [method for name, method in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")]
        assert methods
        assert [method.__name__ for method in methods if "return" not in typing.get_type_hints(method)] == []


def test_a_wheel_has_the_package_typed_and_nothing_of_deploy(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    [wheel] = tmp_path.glob("*.whl")
    names = set(ZipFile(wheel).namelist())
    assert {"graftwork/__init__.py", "graftwork/py.typed", "controlplane/py.typed", "schemas/py.typed"} <= names
    assert not [name for name in names if name.startswith(("deploy/", "tests/"))]
