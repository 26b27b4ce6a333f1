"""Jobs over HTTP: requests, problems, roles, pages and logs."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from controlplane.api.app import create_app
from controlplane.commands.spine.tokens import create_token
from controlplane.settings import Settings
from controlplane.store.database import Database
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE

OWNER = {"owner": "worker-1"}
As = Callable[[str], TestClient]


@pytest.fixture
def client(sqlite_database: Database) -> As:
    app = create_app(Settings(failed_logins_per_minute=1000), sqlite_database)
    with sqlite_database.begin("test") as uow:
        tokens = {role: create_token(uow, role, role)[1] for role in ("viewer", "operator", "worker")}  # type: ignore[arg-type]
    return lambda role: TestClient(app, headers={"authorization": f"Bearer {tokens[role]}"})


def request(client: As, **body: Any) -> Any:
    return client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE, **body})


def claim(client: As, **body: Any) -> Any:
    body = {"kinds": ["curate"], "claim_id": str(uuid4()), **OWNER, **body}
    answer = client("worker").post("/v1/jobs:claim", json=body)
    assert answer.status_code == 200
    return answer.json()["claim"]


def say(client: As, claimed: Any, verb: str, **body: Any) -> Any:
    body = {"attempt": claimed["attempt"], **OWNER, **body}
    return client("worker").post(f"/v1/jobs/{claimed['job_id']}:{verb}", json=body)


def test_a_job_goes_from_request_to_result(client: As) -> None:
    made = request(client)
    assert made.status_code == 201
    assert made.json()["phase"] == "Pending"
    assert claim(client, kinds=["train"]) is None
    claimed = claim(client)
    assert claimed["spec"]["dataset"] == "reviews"
    beat = say(client, claimed, "heartbeat", progress={"step": 1, "total": 2}, logs=["a line"])
    assert beat.json() == {"lease_seconds": 30.0, "cancel_requested": False}
    path = f"/v1/jobs/{claimed['job_id']}"
    running = client("viewer").get(path).json()
    assert (running["phase"], running["attempt"], running["progress"]["step"]) == ("Running", 1, 1)
    lines = client("viewer").get(f"{path}/logs").json()
    assert [line["line"] for line in lines] == ["a line"]
    assert client("viewer").get(f"{path}/logs", params={"after": lines[0]["seq"]}).json() == []
    result = curated().model_dump(mode="json")
    done = say(client, claimed, "complete", result=result).json()
    assert done["phase"] == "Succeeded"
    assert done["outputs"].keys() == {"dataset"}
    repeated = say(client, claimed, "complete", result=result)
    assert (repeated.status_code, repeated.json()) == (200, done)


def test_an_end_by_another_attempt_is_409(client: As) -> None:
    request(client)
    claimed = claim(client)
    late = {**claimed, "attempt": 7}
    answer = say(client, late, "complete", result=curated().model_dump(mode="json"))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("lost-lease")


def test_a_wrong_spec_is_a_problem_that_names_the_field(client: As) -> None:
    answer = request(client, spec={**CURATE, "operators": [{"op": "word_count", "min_words": -1}]})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == "spec.operators.0.min_words"
    assert request(client, kind="cure").status_code == 422


def test_a_request_with_a_key_is_made_once(client: As) -> None:
    headers = {"idempotency-key": "k1"}
    body = {"kind": "curate", "spec": CURATE}
    answers = [client("operator").post("/v1/jobs", json=body, headers=headers).json()["id"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(client("viewer").get("/v1/jobs").json()["items"]) == 1


@pytest.mark.parametrize(
    ("role", "path"), [("viewer", "/v1/jobs"), ("worker", "/v1/jobs"), ("operator", "/v1/jobs:claim")]
)
def test_a_role_may_not_do_what_is_another_ones(client: As, role: str, path: str) -> None:
    assert client(role).post(path, json={"kind": "curate", "spec": CURATE}).status_code == 403
    assert client("viewer").get("/v1/jobs").json()["items"] == []


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(client: As) -> None:
    made = [request(client).json()["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        page = client("viewer").get("/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [job["id"] for job in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == made[::-1]


def test_lists_are_filtered(client: As) -> None:
    request(client)
    request(client)
    claim(client)
    viewer = client("viewer")
    assert len(viewer.get("/v1/jobs", params={"phase": "Pending"}).json()["items"]) == 1
    assert viewer.get("/v1/jobs", params={"kind": "train"}).json()["items"] == []
    assert viewer.get("/v1/jobs", params={"run": str(uuid4())}).json()["items"] == []
    assert viewer.get("/v1/jobs", params={"phase": "Done"}).status_code == 422
    assert viewer.get("/v1/jobs", params={"cursor": "nonsense"}).status_code == 422


def test_what_is_not_there_is_404(client: As) -> None:
    nobody = uuid4()
    assert client("viewer").get(f"/v1/jobs/{nobody}").status_code == 404
    assert client("viewer").get(f"/v1/jobs/{nobody}/logs").status_code == 404
    assert client("operator").post(f"/v1/jobs/{nobody}:cancel").status_code == 404


def test_a_cancelled_job_is_told_to_its_worker(client: As) -> None:
    request(client)
    claimed = claim(client)
    answer = client("operator").post(f"/v1/jobs/{claimed['job_id']}:cancel").json()
    assert (answer["phase"], answer["cancel_requested"]) == ("Running", True)
    assert say(client, claimed, "heartbeat").json()["cancel_requested"] is True
    assert say(client, claimed, "fail", reason="cancelled", retryable=False).json()["phase"] == "Cancelled"
