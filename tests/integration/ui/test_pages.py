"""Every page shows what the API says, and its JSON twin is just that."""

import re
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.builders.datasets import DATASET
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Visitor, Website, website

PERSON = {"reason": "a person says so"}


@pytest.fixture
def viewer(web: Website) -> Visitor:
    return web.sign_in("viewer")


def test_an_empty_fleet_says_the_next_command(sqlite_database: Database, tmp_path: Path) -> None:
    with website(InProcess(sqlite_database), tmp_path / "ui-sessions") as web:
        assert "graftwork deployment apply" in web.sign_in("viewer").page("/").words


def test_the_fleet_shows_what_serves_and_what_is_under_way(viewer: Visitor, canary: dict[str, Any]) -> None:
    shown = viewer.page("/")
    assert "reviews" in shown.words
    assert "sentiment/1" in shown.words
    assert "sentiment/2 at 10 %" in shown.words
    assert f"/rollouts/{canary['id']}" in shown.links
    [row] = viewer.twin("/")["under_way"]
    assert (row["stable_version"], row["canary_version"], row["weight"]) == ("sentiment/1", "sentiment/2", 0.1)


def test_what_waits_for_a_person_stands_first(viewer: Visitor, site: InProcess, canary: dict[str, Any]) -> None:
    with_hold = site.client("auditor").post(f"/v1/rollouts/{canary['id']}:hold", json={"reason": "a doubtful dataset"})
    assert with_hold.status_code == 200
    shown = viewer.page("/")
    assert "a doubtful dataset" in shown.words
    assert '<tr class="waits">' in shown.html


def test_a_rollouts_page_shows_its_evidence_beside_a_table_of_the_same_numbers(
    viewer: Visitor, site: InProcess, canary: dict[str, Any]
) -> None:
    path = f"/rollouts/{canary['id']}"
    shown = viewer.page(path)
    found = viewer.twin(path)
    assert found["rollout"]["phase"] == "Progressing"
    [curve] = found["evidence"]["curves"]
    assert curve["metric"] == "error"
    assert len(curve["points"]) == curve["blocks"] > 0
    last = curve["points"][-1]
    assert last["stable"]["units"] == 90 * curve["blocks"]
    assert last["canary"]["units"] == 10 * curve["blocks"]
    assert "<svg" in shown.html
    assert shown.tags.count("polyline") == 2
    assert str(last["stable"]["units"]) in shown.words


def test_a_page_that_every_other_page_links_to_is_there(
    viewer: Visitor, site: InProcess, gateway: Gateway, canary: dict[str, Any]
) -> None:
    """Follows every link of every page, from the front page on."""
    site.client("operator").post(f"/v1/rollouts/{canary['id']}:abort", json=PERSON)
    site.dataset("reviews", 1, DATASET)
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        shown = viewer.page(path)
        assert shown.tags.count("h1") == 1, path
        assert len(shown.ids) == len(set(shown.ids)), path
        waiting += [
            link
            for link in shown.links
            if link.startswith("/") and "format=" not in link and link not in {*seen, *waiting}
        ]
        assert viewer.twin(path) is not None
    kinds = {re.sub(r"/[0-9a-f-]{36}", "/ID", one.split("?")[0]) for one in seen}
    assert kinds >= {"/", "/runs", "/events", "/dead-letters", "/deployments/reviews", "/rollouts/ID", "/decisions/ID"}
    assert kinds >= {"/triggers", "/datasets", "/datasets/reviews", "/datasets/reviews/1"}
    assert kinds >= {"/models/sentiment/1", "/models/sentiment/2", "/jobs/ID"}


def test_the_reason_of_a_rollback_is_three_clicks_from_the_front_page(
    viewer: Visitor, site: InProcess, gateway: Gateway, canary: dict[str, Any]
) -> None:
    for _ in range(20):
        gateway.observe(400, canary_errors=0.5)
        site.turn()
        if site.rollout(canary["id"])["finished_at"]:
            break
    deployment = next(link for link in viewer.page("/").links if link.startswith("/deployments/"))
    rollout = f"/rollouts/{canary['id']}"
    assert rollout in viewer.page(deployment).links
    shown = viewer.page(rollout)
    assert "RolledBack" in shown.words
    assert "`error` rate is above the stable one's" in shown.words
    why = next(link for link in shown.links if link.startswith("/decisions/"))
    assert "the same verdict" in viewer.page(why).words


def test_what_served_at_a_time_can_be_asked(viewer: Visitor, canary: dict[str, Any]) -> None:
    shown = viewer.page("/deployments/reviews?at=2099-01-01T00:00:00Z")
    assert "What each gateway had said to apply" in shown.words
    refused = viewer.get("/deployments/reviews?at=yesterday")
    assert refused.status_code == 422
    assert "RFC 3339" in refused.text


def test_what_there_is_not_is_404_in_words(viewer: Visitor) -> None:
    answer = viewer.get("/deployments/reviewz")
    assert answer.status_code == 404
    assert "there is no deployment" in answer.text
    assert viewer.get("/nothing").status_code == 404
    assert viewer.get("/deployments/reviewz?format=json").json()["status"] == 404
