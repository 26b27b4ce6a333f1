"""Deployments and rollback through the API: what serves, what served, and the way back."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from controlplane.store.database import Database
from controlplane.store.serving_tables import GatewayBootRow
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.serving_periods import Period
from tests.support.worlds.in_process import InProcess

WHY = {"reason": "users complain"}


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    site.deploy()
    return site


def promote(site: InProcess, gateway: Gateway, *others: Gateway, version: UUID | None = None) -> UUID:
    """Another champion, by a releaser's word."""
    version = version or site.version()
    rollout = site.release(version)
    for one in (gateway, *others):
        one.report()
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Progressing"
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json=WHY))
    return version


def roll_back(site: InProcess, **body: Any) -> Any:
    return site.client("releaser").post("/v1/deployments/reviews:rollback", json={**WHY, **body})


def resume(site: InProcess) -> None:
    """Let rollouts go on where a rollback froze them."""
    if site.deployment()["frozen"]:
        ok(site.client("releaser").post("/v1/deployments/reviews:resume"))


def last_rollback(site: InProcess) -> Any:
    return ok(site.client("viewer").get("/v1/deployments/reviews/rollbacks"))[0]


def test_a_rollback_proves_the_target_before_the_pointer_moves(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    second = promote(site, gateway)
    assert roll_back(site).status_code == 202
    site.turn()
    assert last_rollback(site)["phase"] == "Verifying"
    assert site.deployment()["desired"]["stable"] == str(second)
    gateway.report()
    site.turn()
    ended = last_rollback(site)
    assert (ended["phase"], ended["target"], ended["unconfirmed"]) == ("Succeeded", str(first), [])
    assert site.deployment()["desired"]["stable"] == str(first)
    assert (site.moves()[0]["model_version_id"], site.moves()[0]["verified"]) == (str(first), True)


def test_the_last_gateways_answer_moves_the_pointer_without_waiting_for_the_reconciler(site: InProcess) -> None:
    first = site.first_champion()
    gateways = Gateway(site), Gateway(site, "gateway-2")
    second = promote(site, gateways[0], gateways[1])
    roll_back(site)
    gateways[0].report()
    assert last_rollback(site)["phase"] == "Verifying"
    assert site.deployment()["desired"]["stable"] == str(second)
    gateways[1].report()
    assert last_rollback(site)["phase"] == "Succeeded"
    assert site.deployment()["desired"]["stable"] == str(first)
    move = site.moves()[0]
    assert (move["model_version_id"], move["verified"], move["actor"]) == (str(first), True, "reconciler")


def test_gateways_that_did_not_confirm_are_listed(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    broken = Gateway(site, "gateway-2")
    roll_back(site)
    gateway.report()
    broken.report(ok_=False, detail="no space left")
    site.turn()
    assert last_rollback(site)["phase"] == "Verifying"
    site.pass_time(200)
    site.turn()
    ended = last_rollback(site)
    assert ended["phase"] == "Succeeded"
    assert ended["unconfirmed"] == ["gateway-2 (no space left)"]
    assert (site.moves()[0]["model_version_id"], site.moves()[0]["verified"]) == (str(first), False)


def test_a_target_that_no_gateway_can_load_leaves_the_pointer(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    second = promote(site, gateway)
    roll_back(site)
    gateway.report(ok_=False, detail="damaged")
    site.pass_time(200)
    site.turn()
    assert last_rollback(site)["phase"] == "Failed"
    assert site.deployment()["desired"]["stable"] == str(second)
    assert gateway.generation().probe is None


def test_gateways_get_their_time_when_the_control_plane_was_away(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    second = promote(site, gateway)
    roll_back(site)
    with site.database.begin("test") as uow:
        boot = uow.session.get(GatewayBootRow, gateway.boot)
        assert boot is not None
        boot.registered_at = boot.reported_at = uow.now() - timedelta(seconds=60)
    site.turn()
    assert last_rollback(site)["phase"] == "Verifying"
    assert site.deployment()["desired"]["stable"] == str(second)
    site.pass_time(200)
    site.turn()
    ended = last_rollback(site)
    assert (ended["phase"], ended["unconfirmed"]) == ("Succeeded", ["gateway-1 (silent)"])
    assert (site.moves()[0]["model_version_id"], site.moves()[0]["verified"]) == (str(first), False)


def test_nobody_waits_for_a_gateway_that_was_silent_for_more_than_an_hour(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    roll_back(site)
    with site.database.begin("test") as uow:
        boot = uow.session.get(GatewayBootRow, gateway.boot)
        assert boot is not None
        boot.registered_at = boot.reported_at = uow.now() - timedelta(hours=1, seconds=1)
    site.turn()
    ended = last_rollback(site)
    assert (ended["phase"], ended["unconfirmed"]) == ("Succeeded", [])
    assert site.deployment()["desired"]["stable"] == str(first)


def test_force_moves_at_once_and_says_so(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    answer = ok(roll_back(site, force=True))
    assert (answer["phase"], answer["force"]) == ("Succeeded", True)
    assert answer["unconfirmed"] == ["gateway-1 (no answer yet)"]
    assert site.deployment()["desired"]["stable"] == str(first)
    assert (site.moves()[0]["verified"], site.moves()[0]["actor"]) == (False, "releaser")
    assert "forced" in site.moves()[0]["reason"]


def test_without_a_predecessor_it_is_refused(site: InProcess) -> None:
    assert roll_back(site).status_code == 409
    version = site.first_champion()
    assert roll_back(site).status_code == 409
    assert roll_back(site, target=str(version)).status_code == 409
    never = roll_back(site, target=str(site.version()))
    assert never.status_code == 409
    assert never.json()["field"] == "target"
    assert not site.deployment()["frozen"]


def test_a_second_rollback_goes_further_back_and_not_forth(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    second = promote(site, gateway)
    promote(site, gateway)
    ok(roll_back(site, force=True))
    assert site.deployment()["desired"]["stable"] == str(second)
    ok(roll_back(site, force=True))
    assert site.deployment()["desired"]["stable"] == str(first)


def test_after_a_release_of_an_older_version_it_goes_back_to_what_that_replaced(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    second = promote(site, gateway)
    promote(site, gateway, version=first)
    assert ok(roll_back(site, force=True))["target"] == str(second)
    assert ok(roll_back(site, force=True))["target"] == str(first)
    assert roll_back(site, force=True).status_code == 409


def test_a_rollback_that_failed_or_waits_has_moved_nothing(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    roll_back(site)
    gateway.report(ok_=False, detail="damaged")
    site.pass_time(200)
    site.turn()
    assert last_rollback(site)["phase"] == "Failed"
    assert ok(roll_back(site, force=True))["target"] == str(first)


@pytest.mark.parametrize("seed", range(6))
def test_after_any_history_it_goes_back_to_what_served_before(site: InProcess, seed: int) -> None:
    draw = random.Random(seed)
    period, gateway = Period(site.first_champion()), Gateway(site)
    served = [period.version]
    for _ in range(8):
        kind, version = draw.choice(["release", "rollback", "target"]), draw.choice(served)
        if kind == "rollback" and period.below:
            period = period.roll_back()
            ok(roll_back(site, force=True))
        elif kind == "target" and version != period.version:
            period = period.roll_back(version)
            ok(roll_back(site, force=True, target=str(version)))
        else:
            resume(site)
            older = draw.random() < 0.5 and version != period.version
            served.append(promote(site, gateway, version=version if older else None))
            period = period.release(served[-1])
        assert site.deployment()["desired"]["stable"] == str(period.version)
    while period.below:
        period = period.roll_back()
        assert ok(roll_back(site, force=True))["target"] == str(period.version)
    assert roll_back(site, force=True).status_code == 409


@pytest.mark.parametrize("reference", ["sentiment/1", "sentiment@older", "{id}", "{beginning}", "{ID}"])
def test_a_target_is_named_as_a_version_is_everywhere(site: InProcess, reference: str) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    promote(site, gateway)
    older = site.client("releaser").put(
        "/v1/models/sentiment/aliases/older",
        json={"model_version": str(first), **WHY},
        headers={"if-none-match": "*"},
    )
    ok(older)
    target = reference.format(id=first, beginning=str(first)[:8], ID=str(first).upper())
    assert ok(roll_back(site, force=True, target=target))["target"] == str(first)
    assert site.deployment()["desired"]["stable"] == str(first)


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("sentiment/9", 404, "there is no model version 'sentiment/9'"),
        ("sentiment@nobody", 404, "there is no model version 'sentiment@nobody'"),
        ("0000", 404, "there is no model version whose id begins with '0000'"),
        ("the old one", 422, "names no model version: write `name@alias`, `name/7` or an id"),
        ("sentiment@champion", 409, "version sentiment@champion serves already"),
        ("sentiment@latest", 409, "version sentiment@latest never served 'reviews': start a rollout instead"),
    ],
)
def test_a_target_that_cannot_be_is_refused_in_the_callers_words(
    site: InProcess, target: str, status: int, words: str
) -> None:
    site.first_champion()
    promote(site, Gateway(site))
    site.version()
    answer = roll_back(site, target=target)
    assert (answer.status_code, answer.json()["field"]) == (status, "target")
    assert words in answer.json()["detail"]
    assert not site.deployment()["frozen"]


def test_it_aborts_the_canary_and_freezes_the_queue_until_resumed(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    promote(site, gateway)
    site.canary(gateway)
    site.release(site.version())
    roll_back(site)
    assert site.phases()[-2:] == ["Aborted", "Queued"]
    assert (gateway.generation().canary, gateway.generation().weight) == (None, 0.0)
    assert roll_back(site).status_code == 409
    assert site.client("releaser").post("/v1/deployments/reviews:resume").status_code == 409
    gateway.report()
    site.turn()
    assert site.phases()[-1] == "Queued"
    third = site.release(site.version())
    assert third["phase"] == "Queued"
    assert ok(site.client("releaser").post("/v1/deployments/reviews:resume"))["frozen"] is False
    assert site.phases()[-2:] == ["Verifying", "Queued"]


def test_what_served_at_a_time_is_answered_from_both_sides(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    gateway.report()
    between = datetime.now(UTC)
    time.sleep(0.05)
    second = promote(site, gateway)
    gateway.report()
    viewer = site.client("viewer")
    then = ok(viewer.get("/v1/deployments/reviews/served", params={"at": between.isoformat()}))
    now = ok(viewer.get("/v1/deployments/reviews/served"))
    assert (then["desired"]["stable"], now["desired"]["stable"]) == (str(first), str(second))
    assert [entry["stable"] for entry in then["applied"]] == [str(first)]
    assert [entry["stable"] for entry in now["applied"]] == [str(second)]
    before = ok(viewer.get("/v1/deployments/reviews/served", params={"at": "2020-01-01T00:00:00Z"}))
    assert (before["desired"], before["applied"]) == (None, [])


def test_the_generation_poll_answers_when_there_is_a_newer_one(site: InProcess) -> None:
    client = site.client("gateway")
    url = "/v1/deployments/reviews/generation"
    first = ok(client.get(url))
    assert (first["generation"], first["stable"]) == (0, None)
    assert client.get(url, params={"after": 0, "wait": 0}).status_code == 204
    site.first_champion()
    newer = ok(client.get(url, params={"after": 0, "wait": 5}))
    assert newer["stable"]["graph"]["identity"]["task"]["labels"] == ["negative", "positive"]
    assert site.client("viewer").get(url).status_code == 403


def test_a_deployment_is_bound_to_its_alias_and_hides_its_key(site: InProcess) -> None:
    releaser = site.client("releaser")
    other = releaser.put("/v1/deployments/other", json={"model": "sentiment"})
    assert other.status_code == 409
    assert "follows sentiment@champion already" in other.json()["detail"]
    moved = releaser.put("/v1/deployments/reviews", json={"model": "another"})
    assert moved.status_code == 409
    assert "signing_key" not in releaser.get("/v1/deployments/reviews").text
    changed = site.deploy(verify_seconds=7)
    assert changed["policy"]["verify_seconds"] == 7


def test_a_deployment_adopts_what_its_alias_points_to(database: Database) -> None:
    site = InProcess(database)
    version = site.version()
    body = {"model_version": str(version), "reason": "by hand"}
    headers = {"if-none-match": "*"}
    ok(site.client("releaser").put("/v1/models/sentiment/aliases/champion", json=body, headers=headers))
    assert site.deploy()["desired"]["stable"] == str(version)
