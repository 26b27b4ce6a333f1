"""The event feed: in order, woken by any process, honest about what is pruned, and no burden to others."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, update

from controlplane.commands.spine.cursors import FACTS
from controlplane.duties.retention import prune_events
from controlplane.store.database import Database
from controlplane.store.insert import insert_once
from controlplane.store.spine_tables import CursorRow, EventRow
from schemas.facts import AuditRecorded
from tests.support.builders.specs import CURATE
from tests.support.facts import started
from tests.support.http_server import serving
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess

LONG = 50
"""Seconds of a wait that a test ends itself: its answer must come from an event."""


def announce(database: Database, count: int = 1) -> None:
    for number in range(count):
        with database.begin("test") as uow:
            uow.record(started("somebody", number), "job/somebody")


@pytest.fixture
def served(database: Database) -> Iterator[tuple[InProcess, str]]:
    site = InProcess(database, feed_subscribers=110)
    with serving(site.app) as url:
        yield site, url


def caller(site: InProcess, url: str, role: Any = "viewer") -> httpx.Client:
    headers = {"authorization": f"Bearer {site.tokens[role]}"}
    return httpx.Client(base_url=url, headers=headers, timeout=LONG + 20, limits=httpx.Limits(max_connections=200))


def test_facts_come_in_order_and_by_pages(database: Database) -> None:
    site = InProcess(database)
    client = site.client("viewer")
    assert client.get("/v1/events").json() == {"items": [], "last": 0}
    announce(database, 5)
    assert client.get("/v1/events").json()["items"] == []
    last = client.get("/v1/events").json()["last"]
    seen: list[int] = []
    while (page := client.get("/v1/events", params={"after": seen[-1] if seen else 0, "limit": 2}).json())["items"]:
        seen += [event["seq"] for event in page["items"]]
        assert page["last"] == seen[-1]
    assert seen == sorted(set(seen))
    assert (len(seen), seen[-1]) == (5, last)
    assert client.get("/v1/events", params={"after": last}).json() == {"items": [], "last": last}


def test_types_are_filtered(database: Database) -> None:
    site = InProcess(database)
    announce(database)
    site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE})
    wanted = {"after": 0, "type": ["dev.graftwork.job.requested.v1", "dev.graftwork.job.failed.v1"]}
    items = site.client("viewer").get("/v1/events", params=wanted).json()["items"]
    assert [event["type"] for event in items] == ["dev.graftwork.job.requested.v1"]
    rung = site.client("worker").get("/v1/doorbell", params={"after": 0}).json()["items"]
    assert [event["type"] for event in rung] == ["dev.graftwork.job.requested.v1"]


def test_the_newest_facts_are_asked_for_and_types_are_left_out(database: Database) -> None:
    site = InProcess(database)
    announce(database, 4)
    client = site.client("operator")
    client.post("/v1/jobs", json={"kind": "curate", "spec": CURATE})

    def asked(**params: Any) -> tuple[list[int], int]:
        page = client.get("/v1/events", params=params).json()
        return [event["seq"] for event in page["items"]], page["last"]

    everything, last = asked(after=0)
    kinds = {event["seq"]: event["type"] for event in client.get("/v1/events", params={"after": 0}).json()["items"]}
    told = [seq for seq in everything if kinds[seq] != AuditRecorded.TYPE]
    assert len(told) == len(everything) - 1 == 5
    assert asked(newest=2) == (everything[-2:], last)
    assert asked(newest=3, without="audit.recorded") == (told[-3:], last)
    assert asked(newest=9, type="job.failed") == ([], last)
    assert asked(after=told[0], limit=2, without="audit.recorded") == (told[1:3], told[2])
    for params, field in (({"newest": 2, "after": 0}, "newest"), ({"after": 0, "without": "audit.record"}, "without")):
        refused = client.get("/v1/events", params=params)
        assert (refused.status_code, refused.json()["field"]) == (422, field)


def prune(database: Database, through: int) -> None:
    """As retention does when everything is old and our own reactions have read so far."""
    with database.begin("test") as uow:
        insert_once(uow, CursorRow(name=FACTS, seq=through))
        prune_events(uow, uow.now() + timedelta(days=1), relayed=False)


def test_a_cursor_into_what_was_pruned_is_410_and_names_the_oldest_seq(database: Database) -> None:
    site = InProcess(database)
    announce(database, 5)
    prune(database, 3)
    answer = site.client("viewer").get("/v1/events", params={"after": 2})
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("/gone")
    assert answer.json()["detail"].endswith("the oldest one is 4")
    assert len(site.client("viewer").get("/v1/events", params={"after": 3}).json()["items"]) == 2


def test_a_reader_of_types_that_were_quiet_for_a_whole_retention_has_missed_nothing(database: Database) -> None:
    site = InProcess(database)
    operator, viewer = site.client("operator"), site.client("viewer")
    operator.post("/v1/jobs", json={"kind": "curate", "spec": CURATE})
    rung = site.client("worker").get("/v1/doorbell", params={"after": 0}).json()["last"]
    announce(database, 5)
    prune(database, 5)
    assert site.client("worker").get("/v1/doorbell", params={"after": rung}).json() == {"items": [], "last": rung}
    assert viewer.get("/v1/events", params={"after": rung}).status_code == 410


def test_a_gap_in_the_order_is_not_mistaken_for_a_pruned_fact(database: Database) -> None:
    """PostgreSQL's sequence passes over the number of a transaction that was rolled back."""
    site = InProcess(database)
    announce(database, 4)
    prune(database, 2)
    with database.begin("test") as uow:
        uow.execute(update(EventRow).where(col(EventRow.seq) == 4).values(seq=9))
        uow.execute(update(EventRow).where(col(EventRow.seq) == 3).values(seq=8))
    answer = site.client("viewer").get("/v1/events", params={"after": 2})
    assert [event["seq"] for event in answer.json()["items"]] == [8, 9]


def test_a_wait_ends_when_another_process_commits(
    served: tuple[InProcess, str], database_url: str, processes: Processes
) -> None:
    site, url = served
    with caller(site, url) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "/v1/events", params={"after": 0, "wait": LONG})
        writer = processes.python("writer", "-m", "tests.support.event_writer", database_url, "w", "1", "0")
        assert writer.wait() == 0, writer.output()
        answer = waiting.result(LONG - 5)
    assert answer.json()["items"][0]["type"] == "dev.graftwork.job.started.v1"


def test_a_wait_without_an_event_ends_empty(served: tuple[InProcess, str]) -> None:
    site, url = served
    with caller(site, url) as client:
        assert client.get("/v1/events", params={"after": 0, "wait": 0.1}).json() == {"items": [], "last": 0}


def test_a_hundred_who_wait_hold_up_nobody_and_one_too_many_is_503(served: tuple[InProcess, str]) -> None:
    site, url = served
    free = site.app.state.site.feed
    with caller(site, url) as client, caller(site, url, "operator") as operator, ThreadPoolExecutor(110) as pool:
        # each waits for a type that nobody announces: only the end of the wait, or the test's own event, ends it
        wanted = {"after": 0, "wait": LONG, "type": "dev.graftwork.job.cancelled.v1"}
        waiting: list[Future[httpx.Response]] = [
            pool.submit(client.get, "/v1/events", params=wanted) for _ in range(110)
        ]
        wait_for(lambda: free._free == 0, "110 requests wait")
        refused = client.get("/v1/events", params={"after": 0, "wait": 1})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        made = operator.post("/v1/jobs", json={"kind": "curate", "spec": CURATE})
        assert made.status_code == 201
        assert not any(one.done() for one in waiting)
        assert operator.post(f"/v1/jobs/{made.json()['id']}:cancel").status_code == 200
        answers = [one.result(LONG) for one in waiting]
    assert {answer.status_code for answer in answers} == {200}
    assert {len(answer.json()["items"]) for answer in answers} == {1}
    assert free._free == 110


def test_who_hangs_up_gives_his_place_to_the_next(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database, feed_subscribers=1)
    feed = site.app.state.site.feed
    with serving(site.app) as url:
        for role, path in (("viewer", "/v1/events"), ("worker", "/v1/doorbell")):
            with caller(site, url, role) as client, pytest.raises(httpx.ReadTimeout):
                client.get(path, params={"after": 0, "wait": LONG}, timeout=0.5)
            wait_for(lambda: feed._free == 1, "the place is free", seconds=LONG / 2)


def test_a_type_is_asked_for_as_it_is_printed_or_in_full(sqlite_database: Database) -> None:
    client = InProcess(sqlite_database).client("viewer")
    announce(sqlite_database, 2)
    for name, count in (
        ("job.started", 2), ("job.started.v1", 2), ("dev.graftwork.job.started.v1", 2), ("job.failed", 0),
        ("dev.graftwork.of.tomorrow.v9", 0),
    ):  # fmt: skip
        assert len(client.get("/v1/events", params={"after": 0, "type": name}).json()["items"]) == count, name
    refused = client.get("/v1/events", params={"after": 0, "type": "job.faild"})
    assert (refused.status_code, refused.json()["field"]) == (422, "type")
    assert "did you mean 'job.failed'?" in refused.json()["detail"]
