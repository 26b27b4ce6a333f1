"""The demo's users: what cannot leave when it is due is counted and left out, so that they end when told to."""

import threading
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from controlplane.cli.demo.traffic import AT_ONCE, Traffic
from tests.support.http_server import serving
from tests.support.waiting import wait_for

ANSWER = {"predictions": [{"prediction_id": "p", "label": "positive"}]}


@pytest.fixture
def gate() -> threading.Event:
    """Nobody is answered before it is set."""
    return threading.Event()


@pytest.fixture
def busy(gate: threading.Event) -> Iterator[str]:
    """Gateway and API in one: it has so many callers at once that its threads are all in use."""

    def answer(request: Request) -> JSONResponse:
        gate.wait(30)
        return JSONResponse(ANSWER, headers={"x-variant": "stable"})

    routes = [Route(path, answer, methods=["POST"]) for path in ("/v1/predict", "/v1/feedback")]
    with serving(Starlette(routes=routes)) as url:
        yield url


def test_requests_that_find_no_room_are_late_and_never_sent(busy: str, gate: threading.Event) -> None:
    with Traffic([("a text", "positive")], busy, busy, "token", per_second=500) as traffic:
        wait_for(lambda: traffic.tally.late > 5 * AT_ONCE, "requests are late")
        assert traffic.tally.sent == 0
        gate.set()
        wait_for(lambda: traffic.tally.sent > AT_ONCE, "room is used again")
    tally = traffic.tally
    assert tally.failed == 0
    assert tally.served == tally.right == {"stable": tally.sent}
