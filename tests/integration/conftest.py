"""What several files of this folder start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plant import Plant
from tests.support.processes import Processes


@pytest.fixture
def plant(processes: Processes, tmp_path: Path, sqlite_url: str) -> Iterator[Plant]:
    """A site of real processes, so far its API alone."""
    plant = Plant(processes, tmp_path, sqlite_url)
    plant.api()
    yield plant
    plant.close()
