"""What several files of this folder start from."""

from collections.abc import Iterator

import pytest

from tests.support.processes import Processes
from tests.support.worlds.machine import Machine


@pytest.fixture
def machine(processes: Processes, sqlite_url: str) -> Iterator[Machine]:
    """Real processes, so far the API alone."""
    machine = Machine.apart(processes, sqlite_url)
    machine.api()
    yield machine
    machine.close()
