"""A key is a promise: the same request again gets the stored answer, and its effect is had once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from controlplane.store.database import Database
from controlplane.store.spine_tables import IdempotencyRow, TokenRow
from tests.support.builders.specs import CURATE
from tests.support.worlds.in_process import InProcess

BODY = {"kind": "curate", "spec": CURATE}


@pytest.fixture
def site(database: Database) -> InProcess:
    return InProcess(database)


def ask(site: InProcess, key: str, body: Any = BODY, role: Any = "operator", path: str = "/v1/jobs") -> Any:
    return site.client(role).post(path, json=body, headers={"idempotency-key": key})


def jobs(site: InProcess) -> int:
    return len(site.client("viewer").get("/v1/jobs", params={"limit": 200}).json()["items"])


def test_the_same_request_again_gets_the_same_answer_and_has_no_effect(site: InProcess) -> None:
    first, second = ask(site, "k"), ask(site, "k")
    assert (second.status_code, second.content) == (first.status_code, first.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert jobs(site) == 1


def test_another_body_under_the_key_is_422_and_changes_nothing(site: InProcess) -> None:
    ask(site, "k")
    answer = ask(site, "k", {**BODY, "max_attempts": 2})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
    assert jobs(site) == 1


def test_a_key_belongs_to_one_caller_and_one_route(site: InProcess) -> None:
    job = ask(site, "k").json()["id"]
    assert ask(site, "k", role="admin").json()["id"] != job
    assert ask(site, "k", path=f"/v1/jobs/{job}:cancel").json()["phase"] == "Cancelled"
    assert jobs(site) == 2


def test_another_callers_answer_under_the_same_key_and_route_leaves_mine_as_it_was(site: InProcess) -> None:
    mine, other = ask(site, "k"), ask(site, "k", role="admin")
    assert mine.json()["id"] != other.json()["id"]
    for role, first in (("operator", mine), ("admin", other)):
        again = ask(site, "k", role=role)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotent-replayed"] == "true"
    assert jobs(site) == 2


def test_a_refusal_is_not_kept_so_that_the_same_key_may_be_tried_again(site: InProcess) -> None:
    nowhere = f"/v1/jobs/{uuid4()}:cancel"
    assert [ask(site, "k", path=nowhere).status_code for _ in range(2)] == [404, 404]
    with site.database.read() as session:
        assert session.exec(select(IdempotencyRow)).all() == []


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_no_sensible_length_is_refused(site: InProcess, key: str) -> None:
    answer = ask(site, key)
    assert answer.status_code == 422
    assert jobs(site) == 0


def test_an_answer_with_a_secret_is_stored_nowhere(site: InProcess) -> None:
    made = ask(site, "k", {"name": "ci", "role": "viewer"}, "admin", "/v1/tokens").json()
    with site.database.read() as session:
        assert session.exec(select(IdempotencyRow)).all() == []
        assert len(session.exec(select(TokenRow).where(TokenRow.name == "ci")).all()) == 1
    assert made["token"]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as workers:
        yield workers


def test_two_requests_with_one_key_at_once_have_one_effect_and_one_answer(
    site: InProcess, pool: ThreadPoolExecutor
) -> None:
    for number in range(50):
        answers = list(pool.map(lambda _: ask(site, f"key-{number}"), range(2)))  # noqa: B023
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 1
    assert jobs(site) == 50


def test_a_winner_that_asks_twice_at_once_does_not_hear_that_somebody_was_faster(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """The second one's If-Match is out of date by the first one's effect: the key is looked up before it."""
    site = InProcess(database)
    versions = [str(site.version()) for _ in range(2)]
    path = "/v1/models/sentiment/aliases/candidate"

    def move(key: str, tag: str | None, version: str) -> Any:
        condition = {"if-match": tag} if tag else {"if-none-match": "*"}
        body = {"model_version": version, "reason": "a race"}
        return site.client("releaser").put(path, json=body, headers={"idempotency-key": key, **condition})

    tag: str | None = None
    for number in range(50):
        seen, version = tag, versions[number % 2]
        answers = list(pool.map(lambda _: move(f"key-{number}", seen, version), range(2)))  # noqa: B023
        assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
        tag = answers[0].headers["etag"]
        assert answers[1].headers["etag"] == tag
        late = move(f"key-{number}", seen, version)
        assert (late.status_code, late.headers["idempotent-replayed"]) == (200, "true")
    assert move("another key", None, versions[0]).status_code == 412
    history = site.client("viewer").get(f"{path}/history", params={"limit": 200}).json()["items"]
    assert len(history) == 50
