"""A throw-away copy of the working tree, spoilt, and the chaos runner in it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.mutations.mutation import Mutation
from tests.chaos.plan import Topology
from tests.support.processes import ROOT

LINKED = ("deploy/kafka/libs",)
"""Ignored by git, large, and never mutated."""


@contextmanager
def spoilt_copy(mutation: Mutation) -> Iterator[Path]:
    """Of what git knows or would know, as it stands now. Raises NotFound when the source has moved on."""
    folder = Path(tempfile.mkdtemp(prefix=f"graftwork-mutation-{mutation.name}-"))
    folder.chmod(0o755)
    try:
        copy_tree(folder)
        mutation.apply(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_tree(target: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in names:
        source = ROOT / name
        if name and source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    for name in LINKED:
        if (ROOT / name).exists() and not (target / name).exists():
            (target / name).symlink_to((ROOT / name).resolve())


def play(tree: Path, topology: Topology, seed: int, log: Path) -> list[str]:
    """The violations of one round in that tree; a runner that could not run is one too, of the tool and not the site.

    Raises RuntimeError then.
    """
    out = tree / "outcome.json"
    out.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "tests.chaos", "--topology", topology, "--seed", str(seed)]
    argv += ["--out", str(out), "--keep", str(log.parent / "kept")]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("ab") as output:
        subprocess.run(argv, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if not out.is_file():
        raise RuntimeError(f"seed {seed} on {topology} could not be played, see {log}")
    document: dict[str, Any] = json.loads(out.read_text())
    return [said for failed in document["failed"].values() for said in failed]
