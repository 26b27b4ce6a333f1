"""Gateways in this process: one for each test, and one for all tests of a module that only look at answers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from tests.support.worlds.room import Room
from tests.support.writing_engine import WritingEngine, generator


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


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One gateway that writes texts for all tests of a module."""
    site, engine = GatewayInProcess(tmp_path_factory.mktemp("site")), WritingEngine()
    site.stable, site.canary = generator(1), generator(2)
    site.start_control_plane()
    site.release(1)
    with site.gateway(lambda metrics: engine) as http:
        wait_for(lambda: http.get("/readyz").status_code == 200, "ready")
        with (room := Room(site, http, engine)).client:
            yield room
    site.stop_control_plane()
