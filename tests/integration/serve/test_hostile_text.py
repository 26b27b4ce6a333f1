"""Whatever a stranger sends to a real gateway: a clear refusal or an answer, no arm's error, and others are served."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.integration.serve.test_gateway_survives import gateway_process
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from workers.serve.protocols.requests import MAX_BODY_BYTES, MAX_CHARACTERS, MAX_ROWS

pytestmark = pytest.mark.e2e
FAMILY = "\U0001f468‍\U0001f469‍\U0001f467‍\U0001f466"


def body(value: object) -> bytes:
    return json.dumps(value).encode()


ANSWERED: dict[str, object] = {
    "NUL": {"text": "a\0b\0" * 100},
    "bidi overrides": {"text": "‮gnp.exe⁦⁩‎" * 500},
    "emoji families": {"text": FAMILY * 1500},
    "combining marks": {"text": "Z" + "̀" * (MAX_CHARACTERS - 1)},
    "one long word": {"text": "x" * MAX_CHARACTERS},
    "nothing": {"text": ""},
    "empty rows": {"texts": ["", "", ""]},
    "white space only": {"text": " \t\r\n   "},
    "private use and the last code point": {"text": "\U0010ffff￿﷐"},
    "half a surrogate pair": {"text": "a\ud800b"},
    "as many rows as may be": {"texts": ["row"] * MAX_ROWS},
    "a key twice": b'{"text": "first", "text": "second"}',
}
"""What is odd and allowed. A lone surrogate is refused by JSON's readers: 4xx is as good an answer."""
REFUSED: dict[str, tuple[int, str, object]] = {
    "100 kB in one row": (422, "text", {"text": "x" * 100_000}),
    "1 MB in one row": (422, "text", {"text": "x" * 1_000_000}),
    "more than a body may have": (413, "bytes", {"text": "x" * (MAX_BODY_BYTES + 1)}),
    "10,000 rows": (422, "texts", {"texts": ["row"] * 10_000}),
    "one row too many": (422, "texts", {"texts": ["row"] * (MAX_ROWS + 1)}),
    "no rows": (422, "texts", {"texts": []}),
    "neither text nor texts": (422, "text", {}),
    "both": (422, "text", {"text": "a", "texts": ["b"]}),
    "a number": (422, "text", {"text": 5}),
    "a list in a list": (422, "texts", {"texts": [["a"]]}),
    "null in a list": (422, "texts.1", {"texts": ["a", None]}),
    "an object": (422, "text", {"text": {"a": 1}}),
    "an unknown field": (422, "extra", {"text": "a", "extra": 1}),
    "a session key of a megabyte": (422, "session_key", {"text": "a", "session_key": "k" * 900_000}),
    "NaN": (422, "text", b'{"text": NaN}'),
    "deep JSON": (422, "body", b"[" * 100_000 + b"]" * 100_000),
    "deep JSON in a field": (422, "", b'{"text": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001),
    "invalid UTF-8": (422, "body", b'{"text": "\xff\xfe"}'),
    "half of a character": (422, "body", '{"text": "ü"}'.encode()[:-3] + b'"}'),
    "UTF-16": (422, "body", '{"text": "a"}'.encode("utf-16")),
    "no JSON": (422, "body", b"text=a"),
    "nothing at all": (422, "body", b""),
    "a number of 100,000 digits": (422, "body", b'{"text": ' + b"9" * 100_000 + b"}"),
}
"""Status, what the detail must name, and the body."""


@pytest.fixture
def running(site: GatewayInProcess, processes: Processes) -> Iterator[tuple[Process, httpx.Client, int]]:
    """A real gateway process in the middle of a canary."""
    site.roll_out(2, weight=0.5)
    with gateway_process(processes, site, "hostile") as (process, client):
        wait_for(lambda: arms(client) == {"stable", "canary"}, "both arms answer")
        yield process, client, client.base_url.port or 0


def arms(client: httpx.Client) -> set[str]:
    return {client.post("/v1/predict", json={"text": "one"}).headers.get("x-variant", "") for _ in range(12)}


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:200]
    found: dict[str, Any] = answer.json()
    return found


def errors_told(site: GatewayInProcess) -> int:
    return sum(
        cell.stable.error + cell.canary.error for observation in site.observed() for cell in observation.generations
    )


def test_no_text_makes_an_error_of_an_arm(site: GatewayInProcess, running: tuple[Process, httpx.Client, int]) -> None:
    process, client, _ = running
    paths = {"/v1/predict": lambda data: data, "/v2/models/movies/infer": _as_tensor}
    for path, wrap in paths.items():
        for name, value in ANSWERED.items():
            data = value if isinstance(value, bytes) else body(wrap(value))
            if isinstance(value, bytes) and path != "/v1/predict":
                continue
            answer = client.post(path, content=data)
            lone = name == "half a surrogate pair"
            assert answer.status_code == 200 or (lone and answer.status_code == 422), f"{name}: {answer.text[:200]}"
    for name, (status, named, value) in REFUSED.items():
        data = value if isinstance(value, bytes) else body(value)
        answer = client.post("/v1/predict", content=data)
        assert answer.status_code == status, f"{name}: {answer.status_code} {answer.text[:200]}"
        assert named in problem_of(answer)["detail"], f"{name}: {answer.text}"
        assert "x-variant" not in answer.headers, f"{name} was counted"
    assert no_arm_has_failed(client)
    time_of_last = len(site.observed())
    wait_for(lambda: len(site.observed()) > time_of_last + 1, "the last second has been told")
    assert errors_told(site) == 0
    assert process.running
    assert "unexpected" not in process.output()


def _as_tensor(value: Any) -> object:
    rows = value["texts"] if "texts" in value else [value["text"]]
    return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [len(rows)], "data": rows}]}


def no_arm_has_failed(client: httpx.Client) -> bool:
    """By the gateway's own numbers, which have an outcome for each counted request."""
    lines = [line for line in client.get("/metrics").text.splitlines() if "requests_total{" in line]
    assert lines
    return all('outcome="ok"' in line for line in lines)


# --- what is no text: connections -------------------------------------------------------------------------------------


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as opened:
        yield opened


def raw(port: int, sent: bytes) -> bytes:
    """The head and the body of the answer."""
    with connection(port) as opened:
        found = b""
        try:
            opened.sendall(sent)
            while b"}" not in found and (chunk := opened.recv(65536)):
                found += chunk
        except OSError:  # it was cut off while it still sent
            return found
        return found


HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
NO_HTTP = {
    "noise": b"\x16\x03\x01\x02\x00\x01" + bytes(range(256)),
    "a header of 1 MB": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 1_000_000,
    "100,000 headers": b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"x: a\r\n" * 100_000 + b"\r\n",
    "a length that is no number": HEAD + b"content-length: many\r\n\r\n{}",
    "a negative length": HEAD + b"content-length: -5\r\n\r\n{}",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a NUL in a header": HEAD + b"x: a\0b\r\ncontent-length: 2\r\n\r\n{}",
    "a chunk of no size": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
}


def test_what_is_no_http_is_refused_as_a_problem(running: tuple[Process, httpx.Client, int]) -> None:
    process, client, port = running
    for name, sent in NO_HTTP.items():
        answer = raw(port, sent)
        assert b" 500 " not in answer.split(b"\r\n")[0], name
        if answer:  # a client that is cut off while it still sends sees nothing
            assert answer.startswith(b"HTTP/1.1 4"), f"{name}: {answer[:100]!r}"
            assert b"application/problem+json" in answer, f"{name}: {answer[:300]!r}"
    assert raw(port, NO_HTTP["noise"]).startswith(b"HTTP/1.1 400")
    assert client.post("/v1/predict", json={"text": "one"}).status_code == 200
    assert no_arm_has_failed(client)
    assert "Traceback" not in process.output()


def test_a_length_that_lies_costs_its_own_connection_only(running: tuple[Process, httpx.Client, int]) -> None:
    process, client, port = running
    text = body({"text": "one"})
    short = raw(port, HEAD + b"content-length: %d\r\n\r\n" % (len(text) - 3) + text)
    assert short.startswith(b"HTTP/1.1 422")
    with connection(port) as opened:
        opened.sendall(HEAD + b"content-length: 1000\r\n\r\n" + text)
    assert client.post("/v1/predict", json={"text": "one"}).status_code == 200
    assert no_arm_has_failed(client)
    assert "unexpected" not in process.output()


def test_slow_and_idle_connections_keep_nobody_out(running: tuple[Process, httpx.Client, int]) -> None:
    process, client, port = running
    with ExitStack() as stack:
        idle = [stack.enter_context(connection(port)) for _ in range(1000)]
        slow = [stack.enter_context(connection(port)) for _ in range(20)]
        for number, one in enumerate(slow):
            one.sendall(HEAD[: 10 + number] if number % 2 else HEAD + b"content-length: 100\r\n\r\n{")
        for round_ in range(5):
            for one in slow:
                one.sendall(b"a")
            for _ in range(10):
                assert client.post("/v1/predict", json={"text": f"healthy {round_}"}).status_code == 200
        fresh = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json={"text": "a new connection"}, timeout=20)
        assert fresh.status_code == 200
        assert process.running
        assert len(idle) == 1000
    assert no_arm_has_failed(client)


@pytest.mark.parametrize(
    "sent", [b"", HEAD[:20], HEAD + b"content-length: 100\r\n\r\n{"], ids=["nothing", "head", "body"]
)
def test_a_connection_that_owes_its_request_is_closed(sent: bytes) -> None:
    """The same protocol class with less patience; a trickle of bytes does not extend it."""
    import threading

    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from processes.slow_clients import impatient

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while scope["type"] == "http" and (await receive())["type"] != "http.disconnect":
            pass

    config = uvicorn.Config(app, port=0, http=impatient(H11Protocol, 0.3), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server runs")
    with connection(server.servers[0].sockets[0].getsockname()[1]) as opened:
        opened.sendall(sent)
        opened.settimeout(0.05)
        closed = False
        deadline = time.monotonic() + 20
        while not closed and time.monotonic() < deadline:
            try:
                opened.sendall(b"a" if sent else b"")
                closed = opened.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
    server.should_exit = True
    thread.join(20)
    assert closed
