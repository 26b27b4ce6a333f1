"""The Python client against the live API: pages, repeats that have one effect, errors, waits, no route forgotten."""

import inspect
import re
import threading
from collections.abc import Iterator
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
from sqlmodel import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.client import connection as connections
from controlplane.client.client import Client
from controlplane.client.connection import ApiError, Unreachable
from controlplane.client.http import Answer, Http
from controlplane.store.database import Database
from controlplane.store.spine_tables import TokenRow
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE
from tests.support.http_server import serving
from tests.support.jobs import Jobs
from tests.support.operations import operations
from tests.support.ports import free_ports
from tests.support.worlds.in_process import InProcess

NOT_FOR_CLIENTS = ("/healthz", "/metrics", "/v1/doorbell", "/v1/gateway/", "/generation")
WORKER_VERBS = (":claim", ":heartbeat", ":complete", ":fail", ":release")


class Faulty:
    """In front of the real API: what goes wrong with the next requests, in order."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.faults: list[str] = []
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.faults.pop(0) if scope["type"] == "http" and self.faults else ""
        self.requests += scope["type"] == "http"
        if fault == "503":
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return

        async def dropping(message: Message) -> None:
            if fault != "dropped":
                await send(message)
            elif message["type"] == "http.response.start":  # it has been done, and the answer breaks off
                await send({"type": message["type"], "status": 200, "headers": [(b"content-length", b"9999")]})

        await self._app(scope, receive, dropping)


@pytest.fixture
def site(database: Database) -> InProcess:
    return InProcess(database)


@pytest.fixture
def faulty(site: InProcess) -> Faulty:
    return Faulty(site.app)


@pytest.fixture
def client(site: InProcess, faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(connections, "WAITS", (0.01, 0.01, 0.01, 0.01))
    with serving(faulty) as url, Client(url, site.tokens["admin"]) as client:
        yield client


def test_a_list_goes_through_all_pages(client: Client, faulty: Faulty) -> None:
    made = [client.request_job("curate", CURATE).id for _ in range(3)]
    faulty.requests = 0
    assert [job.id for job in client.list_jobs(limit=1)] == made[::-1]
    assert faulty.requests == 3
    assert [job.id for job in client.list_jobs(limit=1, phase="Running")] == []


@pytest.mark.parametrize("fault", ["503", "dropped"])
def test_a_repeat_has_its_effect_once(client: Client, faulty: Faulty, fault: str) -> None:
    faulty.faults = [fault] * 3
    job = client.request_job("curate", CURATE)
    assert faulty.requests == 4
    assert [one.id for one in client.list_jobs()] == [job.id]


@pytest.mark.parametrize(("fault", "what"), [("503", "HTTP 503"), ("dropped", "does not answer")])
def test_trouble_that_stays_is_an_error_in_the_end(client: Client, faulty: Faulty, fault: str, what: str) -> None:
    faulty.faults = [fault] * 5
    with pytest.raises((ApiError, Unreachable), match=what):
        client.list_tokens()
    assert faulty.requests == 5


def test_a_token_whose_answer_was_lost_is_not_asked_for_twice(client: Client, faulty: Faulty, site: InProcess) -> None:
    faulty.faults = ["503", "dropped"]
    with pytest.raises(Unreachable):
        client.create_token("ci", "viewer")
    with site.database.read() as session:
        assert len(session.exec(select(TokenRow).where(TokenRow.name == "ci")).all()) == 1


def test_an_error_says_what_the_api_said(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        client.request_job("curate", {**CURATE, "operators": [{"op": "word_count", "min_words": -1}]})
    error = caught.value
    assert (error.code, error.problem, error.field) == (422, "invalid", "spec.operators.0.min_words")
    assert str(error).startswith("The request is understood and wrong: spec.operators.0.min_words: ")
    with pytest.raises(ApiError) as caught:
        client.get_job(uuid4())
    assert (caught.value.code, caught.value.problem) == (404, "not-found")


def test_an_answer_that_is_no_problem_document_is_an_error_too() -> None:
    async def proxy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 502, "headers": []})
            await send({"type": "http.response.body", "body": b'["no", "object"]'})

    with serving(proxy) as url, Client(url, None) as client, pytest.raises(ApiError, match="HTTP 502") as caught:
        client.info()
    assert (caught.value.code, caught.value.problem) == (502, "http")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://no such host"])
def test_no_api_there_is_unreachable(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(connections, "WAITS", (0.01,))
    with Client(url.format(port=free_ports(1)[0]), "gw_x") as client, pytest.raises(Unreachable, match="not answer"):
        client.info()


def test_waiting_ends_with_the_thing_and_tells_of_each_look(client: Client, site: InProcess) -> None:
    jobs = Jobs(site.database)
    job = client.request_job("curate", CURATE)
    seen: list[str] = []

    def work_at_the_first_look(view: Any) -> None:
        seen.append(view.phase)
        if len(seen) == 1:
            jobs.complete(jobs.claimed(), curated())

    ended = client.wait_for_job(job.id, seen=work_at_the_first_look)
    assert ended.phase == "Succeeded"
    assert seen == ["Pending", "Succeeded"]


def test_waiting_for_what_does_not_end_is_a_timeout(client: Client) -> None:
    job = client.request_job("curate", CURATE)
    with pytest.raises(TimeoutError, match="not ended after 0 s"):
        client.wait_for_job(job.id, seconds=0)


def test_followed_events_are_those_that_were_and_those_that_come(client: Client, site: InProcess) -> None:
    first = client.request_job("curate", CURATE)
    events = client.follow_events(types=["dev.graftwork.job.requested.v1"])
    assert next(events).data["job_id"] == str(first.id)
    later = threading.Thread(target=Jobs(site.database).request)
    later.start()
    assert next(events).data["job_id"] != str(first.id)
    later.join()
    assert client.read_events().last >= 2


# --- no route forgotten, and none made up -----------------------------------------------------------------------------


class Recorded(Exception):
    """Says which request a method would send."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(method, path)
        self.method = method
        self.path = path


def requests_of(client: Client) -> dict[str, list[Recorded]]:
    """What each public method sends, with something for every argument that it needs."""
    found = {}
    for name, method in inspect.getmembers(client, inspect.ismethod):
        if name.startswith("_") or name in ("close", "follow_events"):
            continue
        verbs = ("pause", "resume", "promote", "abort") if name == "act_on_rollout" else (None,)
        found[name] = [_request_of(method, verb) for verb in verbs]
    return found


def _request_of(method: Any, verb: str | None) -> Recorded:
    hints = get_type_hints(method)
    arguments: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "verb":
            arguments[name] = verb
        elif name in ("spec", "event"):
            arguments[name] = {"name": "x"}
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            arguments[name] = uuid4() if "UUID" in str(hints[name]) and name != "reference" else "x"
    with pytest.raises(Recorded) as caught:
        next(iter(method(**arguments)))
    return caught.value


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Client:
    def record(_self: Http, method: str, path: str, **_: Any) -> Answer:
        raise Recorded(method, path)

    monkeypatch.setattr(Http, "request", record)
    return Client("http://api", "gw_x")


def test_every_route_has_a_method_and_every_method_a_route(recording: Client, sqlite_database: Database) -> None:
    routes = {str(one): one for one in operations(InProcess(sqlite_database).app)}
    meant = {
        name
        for name, one in routes.items()
        if not any(part in one.path for part in NOT_FOR_CLIENTS) and not one.path.endswith(WORKER_VERBS)
    }
    reached: set[str] = set()
    unknown: dict[str, str] = {}
    for method, requests in requests_of(recording).items():
        for request in requests:
            fits = [
                name for name, one in routes.items() if one.method == request.method and fits_path(one.path, request)
            ]
            if not fits:
                unknown[method] = f"{request.method} {request.path}"
            reached.update(fits)
    assert unknown == {}
    assert meant - reached == set()
    assert reached <= meant


def fits_path(path: str, request: Recorded) -> bool:
    pattern = re.sub(r"\\\{\w+(:path)?\\\}", "[^/:]+", re.escape(path))
    return re.fullmatch(pattern, request.path) is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("list_jobs", "/v1/jobs"),
        ("list_runs", "/v1/pipeline-runs"),
        ("list_evaluations", "/v1/trigger-evaluations"),
        ("list_rollouts", "/v1/rollouts"),
        ("list_dead_letters", "/v1/dead-letters"),
    ],
)
def test_every_filter_that_a_method_names_is_one_of_its_route(
    sqlite_database: Database, method: str, path: str
) -> None:
    document = InProcess(sqlite_database).app.openapi()["paths"][path]["get"]
    known = {one["name"] for one in document["parameters"] if one["in"] == "query"}
    words = (getattr(Client, method).__doc__ or "").rpartition("filters: ")[2].rstrip(".").split(", ")
    assert set(filter(None, words)) == known - {"limit", "cursor"}
