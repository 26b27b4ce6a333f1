"""Runs mutmut as pyproject.toml configures it, and reads what it left in `mutants/`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

from tests.trials.mutation.outcome import MISSED, NOT_TRIED, Mutant

FOLDER: Final = Path("mutants")


def run(processes: int, names: Sequence[str] = ()) -> None:
    """Make all mutants and try each; what an earlier run found out about unchanged functions is kept.

    `names`: try those again, and no others; `*` stands for anything.

    Raises CalledProcessError when the tests fail on sound code.
    """
    beside_python = Path(sys.executable).parent
    path = f"{beside_python}{os.pathsep}{os.environ['PATH']}"  # the type checker of this environment
    command = [str(beside_python / "mutmut"), "run", "--max-children", str(processes), *names]
    one_thread = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    here = {"PATH": path, "PYTHONPATH": str(Path.cwd())}  # for our own plugin of pytest
    subprocess.run(command, check=True, env={**os.environ, **one_thread, **here})


def found() -> Iterator[Mutant]:
    """Every mutant, those too that the run did not come to."""
    for meta in sorted(FOLDER.rglob("*.py.meta")):
        source = meta.relative_to(FOLDER).with_suffix("")
        for key, exit_code in json.loads(meta.read_text())["exit_code_by_key"].items():
            known = status_by_exit_code[exit_code]
            status = NOT_TRIED if known == "not checked" else known
            yield Mutant(_function(source, key), status, _edit(key, source) if status in MISSED else "")


def _function(source: Path, key: str) -> str:
    """`package.module:function` or `package.module:Class.method`, from mutmut's mangled name."""
    module = source.with_suffix("").as_posix().replace("/", ".")
    name = key.removeprefix(f"{module}.").rsplit("__mutmut_", 1)[0]
    return f"{module}:{name.removeprefix('xǁ').replace('ǁ', '.') if name.startswith('xǁ') else name.removeprefix('x_')}"


def _edit(key: str, source: Path) -> str:
    diff = get_diff_for_mutant(key, path=source).splitlines()[2:]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in diff if line[:1] in "+-")
