"""HTTP as its standards have it: HEAD beside GET, compressed bodies, and refusals that say what would do."""

import gzip
import json

import httpx
import pytest

from tests.support import openapi
from workers.serve.protocols.requests import MAX_BODY_BYTES

GET_PATHS = ("/healthz", "/readyz", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/movies")


@pytest.mark.parametrize("path", [*GET_PATHS, "/v2/models/movies/ready", "/v2/models/other", "/openapi.json"])
def test_head_answers_as_get_without_the_content(stateless_client: httpx.Client, path: str) -> None:
    got, head = stateless_client.get(path), stateless_client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # it counts, and so it grows
        assert head.headers["content-length"] == str(len(got.content))


def test_a_path_without_get_has_no_head_and_one_with_it_says_so(stateless_client: httpx.Client) -> None:
    assert stateless_client.head("/v1/predict").status_code == 405
    refused = stateless_client.delete("/v2/models/movies")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/v1/predict", "/v2/models/movies/infer"])
def test_a_body_in_gzip_is_read(stateless_client: httpx.Client, path: str) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a good film"]}
    body = {"text": "a good film"} if path == "/v1/predict" else {"inputs": [tensor]}
    packed = gzip.compress(json.dumps(body).encode())
    answer = stateless_client.post(path, content=packed, headers={"content-encoding": "gzip"})
    assert answer.status_code == 200, answer.text


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(stateless_client: httpx.Client) -> None:
    bomb = gzip.compress(b'{"text": "' + b"a" * 50 * MAX_BODY_BYTES + b'"}')
    assert len(bomb) < MAX_BODY_BYTES
    refused = stateless_client.post("/v1/predict", content=bomb, headers={"content-encoding": "gzip"})
    assert refused.status_code == 413
    assert refused.json()["detail"] == f"body: expected at most {MAX_BODY_BYTES} bytes once unpacked"


@pytest.mark.parametrize(
    ("encoding", "status", "said"),
    [("br", 415, "expected gzip or none, not 'br'"), ("gzip", 422, "expected gzip")],
)
def test_a_body_that_cannot_be_unpacked_is_refused_by_its_cause(
    stateless_client: httpx.Client, encoding: str, status: int, said: str
) -> None:
    headers = {"content-encoding": encoding}
    for path in ("/v1/predict", "/v2/models/movies/infer"):
        refused = stateless_client.post(path, content=b'{"text": "plain"}', headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        assert said in refused.json()["detail"]
        assert refused.headers.get("accept-encoding") == ("gzip" if status == 415 else None)


def test_a_gateway_publishes_a_valid_document(stateless_client: httpx.Client) -> None:
    assert openapi.faults(stateless_client.get("/openapi.json").json()) == []
