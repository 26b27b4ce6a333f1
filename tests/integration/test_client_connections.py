"""The client's connections: kept for the next request, given up when the other side has, and through a proxy."""

import gc
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.client import connection as connections
from controlplane.client.client import Client
from controlplane.client.http import Http, NotSent
from controlplane.store.database import Database
from tests.support.http_server import serving
from tests.support.ports import free_ports
from tests.support.worlds.in_process import InProcess


class Doors:
    """In front of the real API: which connection each request came by."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.used: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.used.append(scope["client"][1])
        await self._app(scope, receive, send)


@pytest.fixture
def site(sqlite_database: Database) -> InProcess:
    return InProcess(sqlite_database)


@pytest.fixture
def doors(site: InProcess) -> Doors:
    return Doors(site.app)


@pytest.fixture
def never_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first attempt that fails fails the request."""
    monkeypatch.setattr(connections, "WAITS", ())


@pytest.mark.usefixtures("never_twice")
def test_many_requests_go_over_one_connection(site: InProcess, doors: Doors) -> None:
    with serving(doors) as url, Client(url, site.tokens["admin"]) as client:
        for _ in range(10):
            assert list(client.list_jobs()) == []
            client.info()
    assert len(doors.used) == 20
    assert len(set(doors.used)) == 1


@pytest.mark.usefixtures("never_twice")
def test_threads_share_a_client_and_never_a_connection(site: InProcess, doors: Doors) -> None:
    with serving(doors) as url, Client(url, site.tokens["admin"]) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: list(client.list_jobs()), range(80)))
    assert answers == [[]] * 80
    assert 1 <= len(set(doors.used)) <= 8


@pytest.mark.usefixtures("never_twice")
def test_a_connection_that_the_other_side_has_closed_is_not_used_again(site: InProcess, doors: Doors) -> None:
    [port] = free_ports(1)
    with Client(f"http://127.0.0.1:{port}", site.tokens["admin"]) as client:
        for _ in range(3):
            with serving(doors, port):
                client.info()
                client.info()
    assert len(set(doors.used)) == 3


@pytest.mark.usefixtures("never_twice")
def test_a_closed_client_opens_anew_when_it_is_asked_again(site: InProcess, doors: Doors) -> None:
    with serving(doors) as url:
        client = Client(url, site.tokens["admin"])
        for _ in range(3):
            client.info()
            client.close()
    assert len(set(doors.used)) == 3


@pytest.mark.filterwarnings("error")
def test_a_client_that_nobody_closes_leaves_no_open_connection(site: InProcess, doors: Doors) -> None:
    with serving(doors) as url:
        Client(url, site.tokens["admin"]).info()
        gc.collect()
    assert len(doors.used) == 1


def test_what_may_not_be_repeated_gets_a_connection_of_its_own(site: InProcess, doors: Doors) -> None:
    """One that the other side closes at this moment would lose it, and nobody could tell."""
    with serving(doors) as url, Client(url, site.tokens["admin"]) as client:
        client.info()
        client.create_token("other", "viewer")
    assert len(set(doors.used)) == 2


# --- proxies ----------------------------------------------------------------------------------------------------------


class Wire:
    """Answers whatever comes with 204, and keeps its head."""

    def __init__(self) -> None:
        self.heads: list[str] = []


@contextmanager
def listening() -> Iterator[tuple[Wire, int]]:
    wire, server = Wire(), socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                wire.heads.append(connection.recv(65_536).decode())
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield wire, server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_proxy_of_the_environment_is_asked_for_the_whole_address(no_variables: pytest.MonkeyPatch) -> None:
    with listening() as (wire, port):
        no_variables.setenv("http_proxy", f"http://me:a%40b@127.0.0.1:{port}")
        http = Http("http://api.example:8700/base", {"Authorization": "Bearer x"}, 10)
        assert http.request("GET", "/v1/jobs", params={"limit": 1}).status == 204
    [head] = wire.heads
    assert head.startswith("GET http://api.example:8700/base/v1/jobs?limit=1 HTTP/1.1\r\n")
    assert "Host: api.example:8700\r\n" in head
    assert "Proxy-Authorization: Basic bWU6YUBi\r\n" in head
    assert "Authorization: Bearer x\r\n" in head


def test_a_tunnel_tells_the_proxy_no_token(no_variables: pytest.MonkeyPatch) -> None:
    with listening() as (wire, port):
        no_variables.setenv("https_proxy", f"me:secret@127.0.0.1:{port}")
        with pytest.raises(OSError, match=r"Tunnel connection failed: 204|EOF"):  # it lets nobody through
            Http("https://api.example", {"Authorization": "Bearer x"}, 10).request("GET", "/v1/jobs")
    [head] = wire.heads
    assert head.startswith("CONNECT api.example:443 HTTP/1.")
    assert "Proxy-Authorization: Basic" in head
    assert "Bearer" not in head


def test_no_proxy_is_asked_where_no_proxy_says_so(no_variables: pytest.MonkeyPatch) -> None:
    with listening() as (wire, port):
        no_variables.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
        no_variables.setenv("no_proxy", "127.0.0.1")
        assert Http(f"http://127.0.0.1:{port}", {}, 10).request("GET", "/x").status == 204
    assert wire.heads[0].startswith("GET /x HTTP/1.1\r\n")


def test_a_proxy_that_is_not_there_was_asked_nothing(no_variables: pytest.MonkeyPatch) -> None:
    no_variables.setenv("all_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(NotSent):
        Http("http://api.example", {}, 10).request("POST", "/v1/tokens")
