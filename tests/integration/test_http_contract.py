"""What HTTP promises whatever the route: methods, media types, encodings, scalars and times are exact."""

import gzip
import json
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.builders.specs import CURATE
from tests.support.worlds.in_process import InProcess

JOB = {"kind": "curate", "spec": CURATE}


@pytest.fixture
def site(sqlite_database: Database) -> InProcess:
    return InProcess(sqlite_database)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/jobs", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/jobs:claim", {"POST"}),
        ("GET", "/v1/deployments/reviews:rollback", {"POST"}),
        ("TRACE", "/v1/models/a/aliases/b", {"GET", "HEAD", "PUT", "DELETE"}),
        ("HEAD", "/v1/jobs:claim", {"POST"}),
    ],
)
def test_a_method_that_a_path_does_not_have_is_405_and_names_those_it_has(
    site: InProcess, method: str, path: str, allowed: set[str]
) -> None:
    answer = site.client("admin").request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/v1/jobs/", "/v1//jobs", "/v1/models/", "/v1/jobs%2F", "/v1/deployments/a%2Fb"])
def test_a_path_that_is_not_exact_is_not_found_and_never_a_redirect(site: InProcess, path: str) -> None:
    assert site.client("admin").get(path, follow_redirects=False).status_code == 404


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_media_type_is_415(site: InProcess, media: str) -> None:
    headers = {"content-type": media} if media else {}
    answer = site.client("operator").post("/v1/jobs", content=json.dumps(JOB).encode(), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/jobs", "/v1/jobs/nobody", "/metrics", "/openapi.json"])
def test_head_answers_as_get_does_without_the_content(site: InProcess, path: str) -> None:
    got, head = site.client("viewer").get(path), site.client("viewer").head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert site.client(None).head("/v1/jobs").status_code == 401


def encoded(site: InProcess, body: bytes, encoding: str = "gzip") -> Any:
    headers = {"content-type": "application/json", "content-encoding": encoding, "idempotency-key": "k"}
    return site.client("operator").post("/v1/jobs", content=body, headers=headers)


def test_a_gzip_body_is_the_body_that_it_unpacks_to(site: InProcess) -> None:
    plain = json.dumps(JOB).encode()
    answer = encoded(site, gzip.compress(plain))
    assert answer.status_code == 201, answer.text
    again = encoded(site, plain, "identity")
    assert again.json()["id"] == answer.json()["id"]  # the same body under the same key


@pytest.mark.parametrize(
    ("body", "encoding", "status", "field"),
    [
        (gzip.compress(b" " * 50_000_000), "gzip", 413, "body"),
        (gzip.compress(b"{}")[:-4], "gzip", 422, "body"),
        (b"{}", "gzip", 422, "body"),
        (b"{}", "br", 415, "Content-Encoding"),
        (b"{}", "gzip, zstd", 415, "Content-Encoding"),
    ],
    ids=["a bomb", "cut short", "not gzip", "unknown", "two"],
)
def test_a_body_that_cannot_be_unpacked_is_one_refusal(
    site: InProcess, body: bytes, encoding: str, status: int, field: str
) -> None:
    answer = encoded(site, body, encoding)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert answer.headers.get("accept-encoding") == ("gzip" if status == 415 else None)


@pytest.mark.parametrize("attempts", ["3", 3.0, 3.5, True, None, [3]])
def test_a_number_is_a_number_and_not_what_could_be_read_as_one(site: InProcess, attempts: Any) -> None:
    answer = site.client("operator").post("/v1/jobs", json={**JOB, "max_attempts": attempts})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "max_attempts"


@pytest.mark.parametrize("at", ["0", "1700000000", "1e3", "2026-11-24", "2026-11-24T12:00Z", "2026-11-24T12:00:00"])
def test_a_time_is_written_as_rfc_3339_writes_it(site: InProcess, at: str) -> None:
    assert site.client("viewer").get("/v1/deployments/reviews/served", params={"at": at}).status_code == 422


def test_every_refusal_that_a_route_documents_is_a_problem(site: InProcess) -> None:
    document = site.app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert response["$ref"].startswith("#/components/responses/"), f"{method} {path} {status}"
    for response in document["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_what_is_wrong_beside_a_body_is_named_too(site: InProcess) -> None:
    long = {"idempotency-key": "k" * 300}
    refused = site.client("operator").post("/v1/jobs", json=JOB, headers=long)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["Idempotency-Key"]
    both = site.client("operator").post("/v1/jobs", json={**JOB, "kind": "dance"}, headers=long)
    assert {error["field"] for error in both.json()["errors"]} == {"Idempotency-Key", "kind"}
