"""What stops a gateway waits until its drain is over."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controlplane.cli.processes.supervisor import Child, Supervisor
from controlplane.settings import Settings
from controlplane.store.database import Database
from processes.stopping import GATEWAY_DRAIN_SECONDS
from tests.support.ports import free_ports
from tests.support.waiting import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def port() -> int:
    [port] = free_ports(1)
    return port


@pytest.fixture
def child(site: Any, port: int) -> Iterator[Child]:
    """A gateway as `graftwork up` starts it; its version computes longer than the whole drain lasts."""
    slow = site.version(7, favours=0, seconds_per_row=GATEWAY_DRAIN_SECONDS + 2)
    site.release(1)
    site.roll_out(2, weight=1.0, canary=slow, deadline_seconds=60)
    arguments = ["tests.support.scripted_gateway_process", "--deployment", "reviews", "--port", str(port)]
    environment = {**os.environ, "GRAFTWORK_API_URL": site.api_url, "GRAFTWORK_HOME": str(site.home)}
    made = Child("gateway-reviews", arguments, environment, site.home / "gateway.log")
    made.start()
    yield made
    if made.alive and made.process:
        made.process.kill()
        made.process.wait()


def test_a_gateway_with_a_slow_answer_under_way_finishes_its_drain(
    site: Any, child: Child, port: int, sqlite_database: Database
) -> None:
    supervisor = Supervisor(Settings(), sqlite_database, print, children=[child])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        wait_for(lambda: "graftwork_gateway_applied_weight 1.0" in metrics(client), "the canary's weight", seconds=120)
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(client.post("/v1/predict", json={"text": "slow"})))
        asking.start()
        [journal] = (site.home / "gateways" / "reviews" / "gateway-1").glob("*.journal")
        wait_for(lambda: len(journal.read_bytes().splitlines()) >= 2, "the arrival is in the journal")
        supervisor.stop()
        asking.join(30)
    assert child.process is not None
    assert child.process.returncode in (0, -signal.SIGTERM), child.log.read_text()
    assert [answer.is_server_error for answer in answers] == [True], "its caller was told, and not cut off"
    assert sum(of.canary.units for seen in site.observed() for of in seen.generations) == 1, "and the control plane"
    assert not journal.exists()


def metrics(client: httpx.Client) -> str:
    try:
        return client.get("/metrics").text
    except httpx.TransportError:
        return ""
