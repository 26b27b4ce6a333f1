"""Real processes of ours, and what all of them said when a test fails."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.downloads import downloads as downloads_folder
from tests.support.processes import Processes
from tests.support.worlds.cluster import Cluster, Places


@pytest.fixture(scope="session")
def downloads() -> Path:
    """The real base model and rows, fetched once a machine."""
    return downloads_folder()


@pytest.fixture
def cluster(processes: Processes, postgres_url: str, request: pytest.FixtureRequest, downloads: Path) -> Cluster:
    """Every process on its own, on the broker that the test asks for."""
    name = "mortal_kafka" if "mortal_kafka" in request.fixturenames else "kafka"
    broker = request.getfixturevalue(name)
    started = Cluster(processes, Places(postgres_url, broker.bootstrap_servers, downloads))
    started.start()
    return started


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the end of every process's log."""
    report = yield
    processes = getattr(item, "funcargs", {}).get("processes")
    if report.failed and isinstance(processes, Processes):
        report.sections.extend((f"the end of {name}", words) for name, words in processes.last_words())
    return report
