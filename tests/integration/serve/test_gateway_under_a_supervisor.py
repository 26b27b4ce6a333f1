"""What stops a gateway waits until its drain is over."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from controlplane.cli.processes.supervisor import Child, Supervisor
from controlplane.settings import Settings
from controlplane.store.database import Database
from processes.stopping import GATEWAY_DRAIN_SECONDS
from tests.support.ports import free_ports
from tests.support.waiting import wait_for
from tests.support.writing_engine import HANG_LATER, WORDS, generator

pytestmark = pytest.mark.e2e


@pytest.fixture
def port() -> int:
    [port] = free_ports(1)
    return port


@contextmanager
def supervised(site: Any, port: int, program: str, database: Database) -> Iterator[tuple[Supervisor, httpx.Client]]:
    """A gateway as `graftwork up` starts and stops it, once it is ready."""
    arguments = [f"tests.support.{program}", "--deployment", "reviews", "--port", str(port)]
    environment = {**os.environ, "GRAFTWORK_API_URL": site.api_url, "GRAFTWORK_HOME": str(site.home)}
    child = Child("gateway-reviews", arguments, environment, site.home / "gateway.log")
    child.start()
    assert child.process is not None
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(lambda: is_ready(client), "the gateway is ready", seconds=120)
            yield Supervisor(Settings(), database, print, children=[child]), client
        assert child.process.returncode in (0, -signal.SIGTERM), child.log.read_text()
        assert not list(site.home.glob("gateways/reviews/gateway-1/*.journal"))
    finally:
        if child.alive:
            child.process.kill()
            child.process.wait()


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def wait_for_arrival(site: Any) -> None:
    """A journal's first line is its own."""
    [journal] = site.home.glob("gateways/reviews/gateway-1/*.journal")
    wait_for(lambda: len(journal.read_bytes().splitlines()) >= 2, "the arrival is in the journal")


def test_a_gateway_with_a_slow_stream_under_way_finishes_its_drain(
    site: Any, port: int, sqlite_database: Database
) -> None:
    site.stable = generator(1)
    site.release(1)
    told: list[str] = []

    def read(client: httpx.Client) -> None:
        body = {"model": "movies", "prompt": HANG_LATER, "stream": True}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            told.extend(answer.iter_lines())

    with supervised(site, port, "writing_gateway_process", sqlite_database) as (supervisor, client):
        reading = threading.Thread(target=read, args=(client,))
        reading.start()
        wait_for_arrival(site)
        supervisor.stop()
        reading.join(30)
    lines = [line.removeprefix("data: ") for line in told if line]
    assert json.loads(lines[0])["choices"][0]["text"] == WORDS[0]
    assert "error" in json.loads(lines[-1]), "it was given up, and its caller told so"
    assert sum(of.stable.units for seen in site.observed() for of in seen.generations) == 1, "and the control plane"


def test_a_gateway_that_computes_longer_than_its_drain_is_not_killed(
    site: Any, port: int, sqlite_database: Database
) -> None:
    site.stable = site.version(7, favours=0, seconds_per_row=GATEWAY_DRAIN_SECONDS + 2)
    site.release(1, deadline_seconds=60)
    answers: list[httpx.Response] = []
    with supervised(site, port, "scripted_gateway_process", sqlite_database) as (supervisor, client):
        asking = threading.Thread(target=lambda: answers.append(client.post("/v1/predict", json={"text": "slow"})))
        asking.start()
        wait_for_arrival(site)
        supervisor.stop()
        asking.join(30)
    assert [answer.is_server_error for answer in answers] == [True], "its caller was told, and not cut off"
    assert sum(of.stable.units for seen in site.observed() for of in seen.generations) == 1, "and the control plane"
