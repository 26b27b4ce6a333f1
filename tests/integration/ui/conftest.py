"""A web site over a deployment with a canary under way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Website, website


@pytest.fixture
def site(sqlite_database: Database) -> InProcess:
    site = InProcess(sqlite_database)
    site.deploy()
    return site


@pytest.fixture
def web(site: InProcess, tmp_path: Path) -> Iterator[Website]:
    with website(site, tmp_path / "ui-sessions") as found:
        yield found


@pytest.fixture
def gateway(site: InProcess) -> Gateway:
    """It serves the first champion."""
    site.first_champion()
    return Gateway(site)


@pytest.fixture
def canary(site: InProcess, gateway: Gateway) -> dict[str, Any]:
    """A rollout whose canary has weight, and some evidence."""
    rollout = site.canary(gateway)
    for _ in range(2):
        gateway.observe(100)
        site.turn()
        gateway.report()
    return rollout
