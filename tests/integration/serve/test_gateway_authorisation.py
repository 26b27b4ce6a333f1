"""Who may call what of a gateway: every route of the running app, with and without its token."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.support.operations import routes
from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess

TOKEN = "let-me-in-please-1"
PUBLIC, CALLERS = "public", "whoever has the gateway's token"
MAY = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /v2/health/live": PUBLIC,
    "GET /v2/health/ready": PUBLIC,
    "GET /openapi.json": PUBLIC,  # as the API: it says what is published anyway
    "GET /metrics": CALLERS,
    "POST /v1/predict": CALLERS,
    "POST /v1/chat/completions": CALLERS,
    "POST /v1/completions": CALLERS,
    "GET /v1/models": CALLERS,
    "GET /v1/models/{model}": CALLERS,
    "GET /v2": CALLERS,
    "GET /v2/models/{model}": CALLERS,
    "GET /v2/models/{model}/ready": CALLERS,
    "POST /v2/models/{model}/infer": CALLERS,
    "GET /v2/models/{model}/versions/{version}": CALLERS,
    "GET /v2/models/{model}/versions/{version}/ready": CALLERS,
    "POST /v2/models/{model}/versions/{version}/infer": CALLERS,
}
"""A new route fails the test until somebody decides here."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, httpx.Client]]:
    site = GatewayInProcess(tmp_path_factory.mktemp("site"))
    site.start_control_plane()
    site.release(1)
    with site.gateway(gateway_token=TOKEN, failed_logins_per_minute=1000) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        assert site.app is not None
        yield site.app, client
    site.stop_control_plane()


def test_every_route_is_in_the_table_and_every_entry_is_a_route(guarded: tuple[FastAPI, httpx.Client]) -> None:
    assert routes(guarded[0]) == set(MAY)


@pytest.mark.parametrize("token", [None, "wrong", TOKEN])
@pytest.mark.parametrize("name", sorted(MAY))
def test_a_route_answers_whom_the_table_says(guarded: tuple[FastAPI, httpx.Client], name: str, token: Any) -> None:
    method, _, path = name.partition(" ")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = guarded[1].request(method, path.replace("{model}", "movies").replace("{version}", "1"), headers=headers)
    understood = {400} if path.endswith("completions") else {200, 422}
    expected = understood if MAY[name] == PUBLIC or token == TOKEN else {401}
    assert answer.status_code in expected, answer.text
