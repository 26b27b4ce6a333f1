"""Live pages: what changed is sent, what did not is not, and a silent API is said."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.http_server import serving
from tests.support.ports import free_ports
from tests.support.scripted_gateway import Gateway
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Visitor, Website, site_of


class Listening:
    """The stream of a page, read by a thread until it is closed."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        self.text = ""
        self._closed = False
        self._visitor = visitor
        self._path = path
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(httpx.TransportError), self._visitor.stream("GET", f"/live{self._path}") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for part in answer.iter_text():
                self.text += part
                if self._closed:
                    return

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self._closed = True

    def messages(self) -> list[str]:
        return self.text.split("\n\n")[:-1]


@pytest.fixture
def listening(web: Website, canary: dict[str, Any]) -> Iterator[Listening]:
    found = Listening(web.sign_in("viewer"), f"/rollouts/{canary['id']}")
    wait_for(lambda: 'hx-target="#state"' in found.text, "the first message")
    yield found
    found.close()


def test_a_fact_changes_the_page_at_once(listening: Listening, site: InProcess, canary: dict[str, Any]) -> None:
    site.client("operator").post(f"/v1/rollouts/{canary['id']}:pause", json={"reason": "an incident elsewhere"})
    wait_for(lambda: "an incident elsewhere" in listening.text, "the pause is shown", seconds=10)
    [message] = [one for one in listening.messages() if "an incident elsewhere" in one]
    assert message.startswith("id: ")
    assert 'hx-target="#evidence"' not in message


def test_evidence_grows_on_the_page_without_a_fact(listening: Listening, site: InProcess, gateway: Gateway) -> None:
    before = len([one for one in listening.messages() if 'hx-target="#evidence"' in one])
    gateway.observe(200)
    site.turn()
    wait_for(
        lambda: len([one for one in listening.messages() if 'hx-target="#evidence"' in one]) > before,
        "the new block is shown",
        seconds=15,
    )


def test_a_page_of_somebody_who_signed_out_hears_no_more(web: Website, canary: dict[str, Any]) -> None:
    viewer = web.sign_in("viewer")
    found = Listening(viewer, f"/rollouts/{canary['id']}")
    wait_for(lambda: 'hx-target="#state"' in found.text, "the first message")
    assert viewer.press("/", "/sign-out").status_code == 303
    wait_for(lambda: found.ended, "the stream ends", seconds=15)


def test_an_api_that_is_away_is_said_and_its_return_too(
    site: InProcess, canary: dict[str, Any], tmp_path: Path
) -> None:
    [port] = free_ports(1)
    with site_of(site, f"http://127.0.0.1:{port}", tmp_path / "ui-sessions") as web:
        with serving(site.app, port):
            found = Listening(web.sign_in("viewer"), f"/rollouts/{canary['id']}")
            wait_for(lambda: 'hx-target="#state"' in found.text, "the first message")
        wait_for(lambda: "event: away" in found.text, "it says that the API is away", seconds=30)
        with serving(site.app, port):
            at = len(found.text)
            wait_for(lambda: "event: here" in found.text[at:] or "hx-partial" in found.text[at:], "it is back")
        found.close()


def test_a_page_of_an_api_that_is_away_asks_again_by_itself(tmp_path: Path, site: InProcess) -> None:
    [port] = free_ports(1)
    with site_of(site, f"http://127.0.0.1:{port}", tmp_path / "ui-sessions") as web:
        with serving(site.app, port):
            viewer = web.sign_in("viewer")
        answer = viewer.get("/")
        assert answer.status_code == 503
        assert 'http-equiv="refresh"' in answer.text


def test_many_open_pages_ask_no_more_often_than_a_few(web: Website, canary: dict[str, Any], site: InProcess) -> None:
    """Fifty live pages take turns: the API is asked for at most LOOKS_A_SECOND looks."""
    from controlplane.ui.live import LOOKS_A_SECOND

    asked: list[float] = []
    count = site.app.middleware_stack
    viewer = web.sign_in("viewer")
    pages = [Listening(viewer, f"/rollouts/{canary['id']}") for _ in range(50)]
    time.sleep(1)

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("/evidence"):
            asked.append(time.monotonic())
        assert count is not None
        await count(scope, receive, send)

    site.app.middleware_stack = counting
    time.sleep(5)
    site.app.middleware_stack = count
    for page in pages:
        page.close()
    assert len(asked) >= 5
    assert max(sum(begin <= one < begin + 1 for one in asked) for begin in asked) <= LOOKS_A_SECOND + 2


def test_a_stranger_hears_nothing(web: Website) -> None:
    assert httpx.get(f"{web.url}/live/").status_code == 401
