"""Aliases over HTTP: compare-and-swap, history, bound ones, and two operators at once."""

import threading
from collections import Counter
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlmodel import func, select

from controlplane.projections.models import find_version
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import AliasHistoryRow
from tests.support.answers import ok
from tests.support.worlds.in_process import InProcess

URL = "/v1/models/sentiment/aliases/challenger"
FIRST = {"If-None-Match": "*"}


@pytest.fixture
def site(database: Database) -> InProcess:
    return InProcess(database)


def put(client: TestClient, version: object, headers: dict[str, str], url: str = URL) -> tuple[int, str]:
    answer = client.put(url, json={"model_version": str(version), "reason": "a test"}, headers=headers)
    return answer.status_code, answer.headers.get("etag") or answer.json()["detail"]


def test_an_alias_is_set_moved_removed_and_remembers_it(site: InProcess) -> None:
    one, two = site.version(), site.version()
    client = site.client("releaser")
    assert client.get(URL).status_code == 404
    _, first = put(client, one, FIRST)
    status, second = put(client, "sentiment/2", {"If-Match": first})
    assert status == 200
    assert client.get(URL).headers["etag"] == second
    assert ok(client.get(URL))["version"] == 2
    assert client.delete(URL, params={"reason": "over"}, headers={"If-Match": second}).status_code == 204
    assert client.get(URL).status_code == 404
    assert put(client, one, FIRST)[0] == 200
    moves = ok(client.get(URL + "/history"))["items"]
    assert [(m["version"], m["previous"]) for m in moves] == [
        (1, None),
        (None, str(two)),
        (2, str(one)),
        (1, None),
    ]
    assert {m["actor"] for m in moves} == {"releaser"}
    events = ok(client.get("/v1/events", params={"after": 0, "type": "dev.graftwork.model.alias_moved.v1"}))["items"]
    assert [e["data"]["history_id"] for e in events] == [m["id"] for m in reversed(moves)]


def test_a_stale_tag_is_412_and_the_current_one_is_named(site: InProcess) -> None:
    one, two = site.version(), site.version()
    client = site.client("releaser")
    _, first = put(client, one, FIRST)
    _, second = put(client, two, {"If-Match": first})
    _, third = put(client, one, {"If-Match": second})  # A, B, A: the first tag is still stale
    for headers in ({"If-Match": first}, FIRST, {"If-Match": f'"{uuid4()}"'}):
        status, said = put(client, two, headers)
        assert status == 412
        assert third in said
        assert "to version 1 by releaser" in said
    assert put(client, two, {"If-Match": third})[0] == 200


def test_a_tag_of_an_alias_that_is_not_set_is_412(site: InProcess) -> None:
    version = site.version()
    client = site.client("releaser")
    status, said = put(client, version, {"If-Match": f'"{uuid4()}"'})
    assert (status, "it is not set now" in said) == (412, True)
    assert client.delete(URL, params={"reason": "x"}, headers={"If-Match": f'"{uuid4()}"'}).status_code == 412


def test_without_a_precondition_it_is_428(site: InProcess) -> None:
    version = site.version()
    assert put(site.client("releaser"), version, {})[0] == 428
    assert site.client("releaser").delete(URL, params={"reason": "x"}).status_code == 428


@pytest.mark.parametrize("alias", ["latest", "v3", "3", "Champion"])
def test_reserved_and_malformed_names_are_refused(site: InProcess, alias: str) -> None:
    version = site.version()
    assert put(site.client("releaser"), version, FIRST, f"/v1/models/sentiment/aliases/{alias}")[0] == 422


def test_only_a_releaser_moves_one_and_only_to_what_exists(site: InProcess) -> None:
    version = site.version()
    assert put(site.client("operator"), version, FIRST)[0] == 403
    client = site.client("releaser")
    assert put(client, uuid4(), FIRST)[0] == 404
    assert put(client, "what/is/this", FIRST)[0] == 422
    assert put(client, version, FIRST, "/v1/models/other/aliases/challenger")[0] == 404


def test_a_bound_alias_moves_by_rollouts_only(site: InProcess) -> None:
    site.deploy()
    version = site.first_champion()
    client = site.client("releaser")
    url = "/v1/models/sentiment/aliases/champion"
    tag = client.get(url).headers["etag"]
    answer = client.put(url, json={"model_version": str(version), "reason": "x"}, headers={"If-Match": tag})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("alias-is-bound")
    assert "graftwork rollout start" in answer.json()["detail"]
    assert client.delete(url, params={"reason": "x"}, headers={"If-Match": tag}).status_code == 409
    assert client.get(url).headers["etag"] == tag
    assert len(site.moves()) == 1


def test_a_retried_winner_gets_its_answer_again_and_not_412(site: InProcess) -> None:
    one, two = site.version(), site.version()
    client = site.client("releaser")
    _, first = put(client, one, FIRST)
    headers = {"If-Match": first, "Idempotency-Key": "k1"}
    won = put(client, two, headers)
    assert put(client, two, headers) == won
    assert put(client, one, headers)[0] == 422
    assert len(ok(client.get(URL + "/history"))["items"]) == 2


def test_history_comes_in_pages(site: InProcess) -> None:
    version = site.version()
    client = site.client("releaser")
    headers = FIRST
    for _ in range(5):
        headers = {"If-Match": put(client, version, headers)[1]}
    seen, cursor = [], {}
    while cursor is not None:
        page = ok(client.get(URL + "/history", params={"limit": 2, **cursor}))
        seen += [item["id"] for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert len(seen) == len(set(seen)) == 5


def test_a_version_is_found_by_any_of_its_names(site: InProcess, database: Database) -> None:
    one, two = site.version(), site.version()
    put(site.client("releaser"), one, FIRST)
    with database.read() as session:
        names = ("sentiment@challenger", "sentiment/1", str(one), "sentiment@latest", "sentiment/2")
        assert [find_version(session, name).id for name in names] == [one, one, one, two, two]
    viewer = site.client("viewer")
    detail = ok(viewer.get("/v1/model-versions/sentiment/1"))
    assert detail["aliases"] == ["challenger"]
    assert [a["kind"] for a in detail["attachments"]] == ["export"]
    assert ok(viewer.get("/v1/models"))["items"][0]["aliases"] == {"challenger": 1}
    move = {"model_version": str(one), "reason": "another name"}
    ok(site.client("releaser").put("/v1/models/sentiment/aliases/always", json=move, headers=FIRST))
    assert ok(viewer.get("/v1/model-versions/sentiment@challenger"))["aliases"] == ["always", "challenger"]
    assert ok(viewer.get("/v1/model-versions/sentiment@latest"))["aliases"] == []
    assert viewer.get("/v1/model-versions/sentiment@nobody").status_code == 404
    assert viewer.get("/v1/model-versions/!").status_code == 422


def race(site: InProcess, headers: dict[str, str], versions: list[object], url: str) -> list[tuple[int, str]]:
    """Two operators at once, each through its own connection."""
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(2)

    def operator(version: object) -> None:
        client = site.client("releaser")
        start.wait()
        answers.append(put(client, version, headers, url))

    threads = [threading.Thread(target=operator, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_operators_with_one_tag_exactly_one_wins_100_times(site: InProcess, database: Database) -> None:
    versions: list[object] = [site.version(), site.version()]
    _, tag = put(site.client("releaser"), versions[0], FIRST)
    for _ in range(100):
        answers = race(site, {"If-Match": tag}, versions, URL)
        assert Counter(status for status, _ in answers) == {200: 1, 412: 1}, answers
        tag = next(said for status, said in answers if status == 200)
        assert tag in next(said for status, said in answers if status == 412)
    with database.read() as session:
        assert session.exec(select(func.count()).select_from(AliasHistoryRow)).one() == 101
        moved = select(func.count()).where(EventRow.type == "dev.graftwork.model.alias_moved.v1")
        assert session.exec(moved).one() == 101


def test_of_two_who_set_it_first_exactly_one_wins(site: InProcess) -> None:
    versions: list[object] = [site.version(), site.version()]
    for n in range(20):
        answers = race(site, FIRST, versions, f"/v1/models/sentiment/aliases/race-{n}")
        assert Counter(status for status, _ in answers) == {200: 1, 412: 1}, answers
