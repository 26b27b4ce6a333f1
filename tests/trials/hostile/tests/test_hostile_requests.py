"""Whatever a stranger sends to any route is refused with its reason: 4xx, never 500, on both databases."""

import base64
import json
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.builders.specs import CURATE
from tests.support.operations import Operation, all_operations
from tests.support.worlds.in_process import InProcess

HUGE = 10**30
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "deep in a field": b'{"spec": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    "a number of 5,000 digits": b'{"max_attempts": ' + b"9" * 5000 + b"}",
}
VALUES = {
    "NUL": "a\0b",
    "half a surrogate pair": "a\ud800b",
    "a huge integer": HUGE,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a list": [[]],
    "an object": {"a": {}},
    "nothing": None,
}
MEANT: dict[str, dict[str, Any]] = {
    "POST /v1/jobs": {"kind": "curate", "spec": CURATE},
    "POST /v1/tokens": {"name": "somebody", "role": "viewer"},
    "POST /v1/pipelines/{name}:run": {"params": {"limit": 1}},
    "POST /v1/jobs:claim": {"kinds": ["curate"], "owner": "w", "claim_id": "00000000-0000-0000-0000-000000000001"},
    "POST /v1/rollouts": {"deployment": "reviews", "model_version": "sentiment/1", "reason": "why"},
    "PUT /v1/deployments/{name}": {"model": "sentiment", "policy": {}},
    "PUT /v1/models/{name}/aliases/{alias}": {"model_version": "sentiment/1", "reason": "why"},
    "POST /v1/feedback": {"prediction_id": "x", "label": "y"},
}
"""Good bodies of routes with free text, so that a bad value in them gets as far as it can."""


@pytest.fixture(scope="module")
def site(file_database: Database) -> InProcess:
    """One for all: what is refused changes nothing."""
    return InProcess(file_database)


def changing() -> list[Operation]:
    return [operation for operation in all_operations() if operation.changes]


def refused(answer: Any) -> str | None:
    """What is wrong with an answer that should be a refusal."""
    if not 400 <= answer.status_code < 500:
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.headers["content-type"] != "application/problem+json" or not answer.json()["title"]:
        return f"no problem: {answer.headers} {answer.text[:200]}"
    return None


def send(site: InProcess, operation: Operation, body: bytes, media_type: str = "application/json") -> Any:
    client = site.client("admin", raise_server_exceptions=False)
    headers = {"content-type": media_type, "if-none-match": "*"}
    return client.request(operation.method, operation.url, content=body, headers=headers)


def fields_of(site: InProcess, operation: Operation) -> list[str]:
    """The fields of its body's schema."""
    content = operation.document.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return [*site.app.openapi()["components"]["schemas"].get(name, {}).get("properties", {}), "unknown"]


def test_bodies_that_are_no_json_objects_are_refused_everywhere(site: InProcess) -> None:
    wrong = {}
    for operation in changing():
        bodyless = "requestBody" not in operation.document
        for name, body in BODIES.items():
            answer = send(site, operation, body)
            if (problem := refused(answer)) and not (bodyless and answer.status_code == 404):
                wrong[f"{operation}: {name}"] = problem
    assert wrong == {}


def test_a_value_that_no_database_holds_is_refused_in_every_field(site: InProcess) -> None:
    wrong = {}
    for operation in changing():
        meant = MEANT.get(str(operation), {})
        for field in fields_of(site, operation):
            for name, value in VALUES.items():
                if meant and value in (None, [[]], {"a": {}}):
                    continue  # could be meant
                answer = send(site, operation, json.dumps({**meant, field: value}).encode())
                if problem := refused(answer):
                    wrong[f"{operation} {field}: {name}"] = problem
    assert wrong == {}


@pytest.mark.parametrize("hidden", [VALUES["NUL"], VALUES["half a surrogate pair"], VALUES["NaN"], HUGE])
def test_such_a_value_is_refused_deep_within_a_document_and_its_place_is_named(site: InProcess, hidden: Any) -> None:
    body = {"kind": "curate", "spec": {**CURATE, "labels": {"inner": [1, {"x": hidden}]}}}
    answer = site.client("operator").post("/v1/jobs", content=json.dumps(body).encode(),
                                          headers={"content-type": "application/json"})  # fmt: skip
    assert refused(answer) is None
    assert answer.json()["field"] == "spec.labels.inner.1.x"
    as_key = {"kind": "curate", "spec": {"a\0b": 1}}
    assert site.client("operator").post("/v1/jobs", json=as_key).status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        'name: "a\\0b"',
        'name: x\n"\\uD800": 1',
        "a: .nan",
        "a: &a [1]\nb: [*a, *a, {<<: 1}]",
        "\x00",
        "- 1",
        "!!python/object:os.system x",
    ],
)
@pytest.mark.parametrize("path", ["/v1/pipelines/x", "/v1/triggers/x"])
def test_yaml_with_tricks_is_refused(site: InProcess, path: str, text: str) -> None:
    answer = site.client("operator").put(path, content=text.encode(), headers={"content-type": "application/yaml"})
    assert refused(answer) is None, text


@pytest.mark.parametrize(
    "value", ['"a\\u0000b"', '"\\ud800"', "NaN", "1e999", "{" * 2000, '{"a":' * 100 + "1" + "}" * 100]
)
@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_an_event_with_tricks_is_refused(site: InProcess, mode: str, value: str) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "//s", "type": "com.example.x"}
    if mode == "binary":
        headers = {f"ce-{name}": text for name, text in attributes.items()} | {"content-type": "application/json"}
        answer = site.client("operator").post("/v1/events", content=value.encode(), headers=headers)
    else:
        body = json.dumps(attributes)[:-1] + f', "data": {value}}}'
        headers = {"content-type": "application/cloudevents+json"}
        answer = site.client("operator").post("/v1/events", content=body.encode(), headers=headers)
    assert refused(answer) is None


@pytest.mark.parametrize("part", ["%00", "a%00b", "%ED%A0%80", "x" * 5000, "..%2F..%2Fetc", "%F0%9F%98%80"])
def test_no_path_brings_a_server_down(site: InProcess, part: str) -> None:
    client = site.client("admin", raise_server_exceptions=False)
    wrong = {}
    for operation in all_operations():
        if "{" not in operation.path:
            continue
        url = operation.url.replace("nobody", part).replace("00000000-0000-0000-0000-000000000000", part)
        body = {"json": MEANT.get(str(operation), {})} if operation.changes else {}
        answer = client.request(operation.method, url, headers={"if-none-match": "*"}, **body)
        if answer.status_code >= 500 or (answer.status_code < 300 and operation.changes):
            wrong[str(operation)] = f"{answer.status_code} {answer.text[:200]}"
    assert wrong == {}


@pytest.mark.parametrize(
    "value", ["\0", "a\0b", str(HUGE), "-1", "", "x" * 5000, "nan", "é", "0001-01-01T00:00:00+14:00"]
)
def test_no_query_brings_a_server_down(site: InProcess, value: str) -> None:
    client = site.client("admin", raise_server_exceptions=False)
    wrong = {}
    for operation in all_operations():
        for parameter in operation.document.get("parameters", []):
            if parameter["in"] != "query":
                continue
            answer = client.request(operation.method, operation.url, params={parameter["name"]: value})
            if answer.status_code >= 500:
                wrong[f"{operation} {parameter['name']}"] = f"{answer.status_code} {answer.text[:200]}"
    assert wrong == {}


WITHOUT_ZONE = ["2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"]
POSITIONS: list[Any] = [
    *(None, 1, "x", {}, [], [None], [True], [1.5], [[1]], [HUGE], ["\0"], ["a\ud800"]),
    *(["x", "y"], [1, "x"], [1, 2, 3], ["2026-01-01", "x"], WITHOUT_ZONE),
]


@pytest.mark.parametrize("position", POSITIONS)
def test_a_cursor_that_we_never_gave_out_is_refused(site: InProcess, position: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    taken = set()
    for operation in all_operations():
        if any(parameter["name"] == "cursor" for parameter in operation.document.get("parameters", [])):
            answer = site.client("admin").get(operation.url, params={"cursor": cursor})
            if answer.status_code == 200:
                taken.add(operation.path)
            elif answer.status_code != 404:  # of a model that is not there
                assert answer.status_code == 422, f"{operation}: {answer.text}"
                assert answer.json()["field"].startswith("cursor")
    assert taken == set()


@pytest.mark.parametrize("cursor", ["nonsense", "é", "====", "W10", "WzFd!", "[1]", "\ud7ff"])
def test_a_cursor_that_is_no_base64_of_json_is_refused(site: InProcess, cursor: str) -> None:
    for path in ("/v1/jobs", "/v1/models", "/v1/rollouts", "/v1/dead-letters", "/v1/pipeline-runs"):
        answer = site.client("viewer").get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor")
