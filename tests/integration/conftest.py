"""What several files of this folder start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Processes
from tests.support.worlds.machine import Machine


@pytest.fixture(scope="module")
def file_machine(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Machine]:
    """Real processes for all tests of a file, each of which takes seconds to start; so far the API alone."""
    folder = tmp_path_factory.mktemp("machine")
    shutil.copy(sqlite_template, folder / "graftwork.db")
    processes = Processes(folder)
    machine = Machine.apart(processes, f"sqlite:///{folder / 'graftwork.db'}")
    try:
        machine.api()
        yield machine
    finally:
        machine.close()
        processes.kill_all()


@pytest.fixture
def machine(file_machine: Machine) -> Iterator[Machine]:
    """API, reconciler and one worker as the test before has left them, and no job that has not ended."""
    told = dict(file_machine.env)
    yield file_machine
    file_machine.env = told
    file_machine.tidy_up()
