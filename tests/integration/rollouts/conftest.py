"""A deployment to roll out on, and the CLI's words about it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.cli.app import main
from controlplane.store.database import Database
from tests.support.http_server import serving
from tests.support.worlds.in_process import InProcess

Words = Callable[..., str]


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    site.deploy()
    return site


@pytest.fixture
def words(site: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Words:
    """What the CLI prints to a viewer, or to another role."""
    token = tmp_path / "token"

    def run(line: str, role: str = "viewer") -> str:
        token.write_text(site.client(role).headers["authorization"].removeprefix("Bearer "))
        with serving(site.app) as url, pytest.raises(SystemExit) as stopped:
            main([*shlex.split(line), "--api-url", url, "--token-file", str(token)])
        said = capsys.readouterr()
        assert not stopped.value.code, said.err
        return said.out

    return run
