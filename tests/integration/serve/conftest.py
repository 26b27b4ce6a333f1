"""Gateways in this process: one for each test, and one for all tests of a module that only look at answers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess


@pytest.fixture
def site(tmp_path: Path) -> Iterator[GatewayInProcess]:
    site = GatewayInProcess(tmp_path)
    site.start_control_plane()
    yield site
    site.stop_control_plane()


@pytest.fixture
def client(site: GatewayInProcess) -> Iterator[httpx.Client]:
    """A gateway that serves the stable version under generation 1."""
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        yield client


@pytest.fixture(scope="module")
def stateless_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One gateway for all tests of a module that only look at answers."""
    site = GatewayInProcess(tmp_path_factory.mktemp("site"))
    site.start_control_plane()
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        yield client
    site.stop_control_plane()
