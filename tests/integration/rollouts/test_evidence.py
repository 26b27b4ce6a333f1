"""The evidence of a rollout as it grew, and the fleet in a line a deployment: API and command line."""

from typing import Any

import pytest

from tests.integration.rollouts.conftest import Words
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess


@pytest.fixture
def gateway(site: InProcess) -> Gateway:
    site.first_champion()
    return Gateway(site)


@pytest.fixture
def canary(site: InProcess, gateway: Gateway) -> dict[str, Any]:
    return site.canary(gateway)


def evidence(site: InProcess, rollout: dict[str, Any]) -> Any:
    return ok(site.client("viewer").get(f"/v1/rollouts/{rollout['id']}/evidence"))


def test_before_the_first_block_there_is_no_point(site: InProcess, canary: dict[str, Any], words: Words) -> None:
    [curve] = evidence(site, canary)["curves"]
    assert (curve["metric"], curve["blocks"], curve["points"]) == ("error", 0, [])
    assert "no block is closed yet" in words(f"rollout evidence {canary['id']}")


def test_a_rollout_in_the_queue_has_no_evidence(site: InProcess, canary: dict[str, Any], words: Words) -> None:
    queued = site.release(site.version())
    assert evidence(site, queued)["curves"] == []
    assert "none before the canary gets traffic" in words(f"rollout evidence {queued['id']}")


def test_a_curve_ends_at_the_evidence_that_decided(
    site: InProcess, gateway: Gateway, canary: dict[str, Any], words: Words
) -> None:
    while not (found := site.rollout(canary["id"]))["finished_at"]:
        gateway.observe(200, canary_errors=0.5)
        site.turn()
        gateway.report()
    assert found["phase"] == "RolledBack"
    [curve] = evidence(site, canary)["curves"]
    harm = [one["harm"] for one in curve["points"]]
    assert max(harm) >= curve["harm_needed"]
    assert curve["points"][-1]["canary"]["events"] * 2 == curve["points"][-1]["canary"]["units"]
    shown = words(f"rollout evidence {canary['id']}")
    assert "HARM" in shown
    assert "of 20\n" in shown  # both need 20 to 1 here


def test_a_long_rollouts_curve_has_a_bounded_number_of_points(
    site: InProcess, gateway: Gateway, canary: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from controlplane.projections import evidence as projection

    monkeypatch.setattr(projection, "MOST_POINTS", 3)
    for _ in range(5):
        gateway.observe(50, canary_errors=0.1)
        site.turn()
    [curve] = evidence(site, canary)["curves"]
    assert curve["blocks"] == 5
    assert len(curve["points"]) == 3
    assert curve["points"][-1]["stable"]["units"] == 5 * 45


def test_the_fleet_says_what_is_under_way_and_what_waits(site: InProcess, canary: dict[str, Any], words: Words) -> None:
    ok(site.client("releaser").put("/v1/deployments/idle", json={"model": "sentiment", "alias": "shadow"}))
    site.release(site.version())
    everything = ok(site.client("viewer").get("/v1/fleet"))["items"]
    assert [one["deployment"] for one in everything] == ["idle", "reviews"]
    assert (everything[0]["stable_version"], everything[0]["rollout"], everything[0]["gateways"]) == (None, None, 0)
    [row] = ok(site.client("viewer").get("/v1/fleet?under_way=true"))["items"]
    assert (row["stable_version"], row["canary_version"], row["weight"]) == ("sentiment/1", "sentiment/2", 0.1)
    assert (row["rollout"]["id"], row["rollout"]["step"], row["rollout"]["steps"]) == (canary["id"], 1, 2)
    assert (row["queued"], row["gateways"], row["held"]) == (1, 1, [])
    assert "sentiment/2" in words("deployment fleet --under-way")
    assert "idle" not in words("deployment fleet --under-way")


def test_what_is_held_or_frozen_is_under_way(site: InProcess) -> None:
    site.first_champion()
    assert ok(site.client("viewer").get("/v1/fleet?under_way=true"))["items"] == []
    ok(site.client("auditor").post("/v1/deployments/reviews:hold", json={"reason": "an audit"}))
    [row] = ok(site.client("viewer").get("/v1/fleet?under_way=true"))["items"]
    assert row["held"] == ["held by auditor (the whole deployment): an audit"]


def test_the_fleet_is_read_page_by_page(site: InProcess) -> None:
    for number in range(5):
        spec = {"model": "sentiment", "alias": f"a{number}"}
        ok(site.client("releaser").put(f"/v1/deployments/d{number}", json=spec))
    viewer, names, cursor = site.client("viewer"), [], None
    while True:
        page = ok(viewer.get("/v1/fleet", params={"limit": 2, **({"cursor": cursor} if cursor else {})}))
        names += [one["deployment"] for one in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert names == ["d0", "d1", "d2", "d3", "d4", "reviews"]


def test_everybody_may_ask_whose_token_theirs_is(site: InProcess, words: Words) -> None:
    assert ok(site.client("worker").get("/v1/caller"))["role"] == "worker"
    releaser = ok(site.client("releaser").get("/v1/caller"))
    assert (releaser["name"], releaser["acts_as"]) == ("releaser", ["operator", "releaser", "viewer"])
    assert "auditor" in words("token whoami", "auditor")


def test_the_command_line_says_where_the_web_ui_shows_it(
    site: InProcess, canary: dict[str, Any], words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "look:" not in words(f"rollout get {canary['id']}")
    monkeypatch.setenv("GRAFTWORK_UI_URL", "https://graftwork.example/")
    for line, path in (
        (f"rollout get {canary['id']}", f"/rollouts/{canary['id']}"),
        ("deployment get reviews", "/deployments/reviews"),
        ("model get sentiment/1", "/models/sentiment/1"),
    ):
        assert f"look: https://graftwork.example{path}\n" in words(line)
        assert "look:" not in words(f"{line} --json")
