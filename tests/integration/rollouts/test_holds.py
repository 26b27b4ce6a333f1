"""Holds: what waits, what never does, and who lets it go on."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from controlplane.commands.rollouts.changes import decision_of, keep_decision
from controlplane.commands.rollouts.operations import find_rollout
from controlplane.commands.rollouts.phases import Held, enter_step, promote
from controlplane.commands.serving.generations import lock_deployment
from controlplane.store.unit_of_work import UnitOfWork
from tests.support.answers import ok
from tests.support.rollouts import WORD, climb
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

DOUBT = {"reason": "the dataset is in doubt"}
CLEARED = {"reason": "the dataset was looked through"}


@pytest.fixture
def people(site: InProcess) -> dict[str, TestClient]:
    return {
        "ann": site.person("ann", "auditor"),
        "bob": site.person("bob", "admin"),
        "rita": site.person("rita", "releaser"),
    }


def under_way(site: InProcess) -> tuple[Gateway, str]:
    """A champion, and a canary at its first step."""
    site.first_champion()
    gateway = Gateway(site)
    return gateway, site.canary(gateway)["id"]


def both(rollout: str) -> list[str]:
    return [f"/v1/rollouts/{rollout}", "/v1/deployments/reviews"]


def served(site: InProcess) -> tuple[str, float]:
    desired = site.deployment()["desired"]
    return desired["stable"], desired["weight"]


@pytest.mark.parametrize("what", [0, 1], ids=["the rollout", "the deployment"])
def test_good_evidence_waits_and_says_for_whom_until_another_person_releases_it(
    site: InProcess, people: dict[str, TestClient], what: int
) -> None:
    gateway, rollout = under_way(site)
    url, before = both(rollout)[what], served(site)
    held = ok(people["ann"].post(f"{url}:hold", json=DOUBT))["holds"]
    assert [(hold["actor"], hold["reason"]) for hold in held] == [("ann", DOUBT["reason"])]
    for _ in range(6):
        gateway.observe(400)
        site.turn()
    waiting = site.rollout(rollout)
    assert (waiting["phase"], waiting["step"], served(site)) == ("Progressing", 1, before)
    of_all = " (the whole deployment)" if what else ""
    assert waiting["reason"] == f"the next step waits: held by ann{of_all}: {DOUBT['reason']}"
    assert waiting["analysis"][0].startswith(f"held by ann{of_all}: {DOUBT['reason']}; promotion")
    told = facts(site, "rollout.advanced")
    assert [fact["reason"] for fact in told].count(waiting["reason"]) == 1
    ok(people["bob"].post(f"{url}:release-hold", json=CLEARED))
    assert site.rollout(rollout)["holds"] == []
    assert climb(site, gateway, rollout)["phase"] == "Promoted"
    kept = [(one["actor"], one["verdict"]) for one in site.decisions(rollout) if one["kind"] == "operator"]
    assert kept == [("ann", "hold"), ("bob", "release-hold")]
    placed, released = facts(site, "deployment.hold_placed"), facts(site, "deployment.hold_released")
    for facts_, actor, word in ((placed, "ann", DOUBT), (released, "bob", CLEARED)):
        (fact,) = facts_
        assert (fact["actor"], fact["reason"], fact["hold_id"]) == (actor, word["reason"], held[0]["id"])
        assert fact["rollout_id"] == (None if what else rollout)


def facts(site: InProcess, name: str) -> list[dict[str, Any]]:
    params = {"after": 0, "limit": 1000, "type": name}
    return [item["data"] for item in ok(site.client("viewer").get("/v1/events", params=params))["items"]]


def test_a_verdict_waits_at_the_last_step_and_is_acted_upon_when_released(
    site: InProcess, people: dict[str, TestClient]
) -> None:
    site.deploy(canary={**CANARY, "steps": [0.5]})
    gateway, rollout = under_way(site)
    ok(people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))
    for _ in range(20):
        gateway.observe(400)
        site.turn()
    waiting = site.rollout(rollout)
    assert (waiting["phase"], waiting["reason"]) == ("Progressing", f"SAFE waits: held by ann: {DOUBT['reason']}")
    ok(people["bob"].post(f"/v1/rollouts/{rollout}:release-hold", json=CLEARED))
    site.turn()
    assert site.rollout(rollout)["phase"] == "Promoted"


def test_a_canary_out_of_time_whose_policy_promotes_waits_too(site: InProcess, people: dict[str, TestClient]) -> None:
    site.deploy(canary={**CANARY, "max_seconds": 3600, "on_inconclusive": "promote"})
    gateway, rollout = under_way(site)
    ok(people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))
    site.pass_time(4000)
    gateway.observe(10)
    site.turn()
    assert site.rollout(rollout)["reason"].startswith("INCONCLUSIVE waits: held by ann")
    ok(people["bob"].post(f"/v1/rollouts/{rollout}:release-hold", json=CLEARED))
    site.turn()
    assert site.rollout(rollout)["phase"] == "Promoted"


@pytest.mark.parametrize("first", [True, False], ids=["a first release", "a canary"])
def test_a_verified_version_waits_for_its_first_weight_and_has_time_again_when_released(
    site: InProcess, people: dict[str, TestClient], first: bool
) -> None:
    if first:
        site.deploy()
    else:
        site.first_champion()
    before = site.deployment()["desired"]
    gateway = Gateway(site)
    ok(people["ann"].post("/v1/deployments/reviews:hold", json=DOUBT))
    rollout = site.release(site.version())["id"]
    gateway.report()
    site.turn()
    site.pass_time(1000)
    gateway.report()
    site.turn()
    waiting = site.rollout(rollout)
    assert (waiting["phase"], waiting["weight"]) == ("Verifying", 0.0)
    assert waiting["reason"].startswith("its first weight waits: held by ann (the whole deployment)")
    assert site.deployment()["desired"]["stable"] == (before["stable"] if before else None)
    ok(people["bob"].post("/v1/deployments/reviews:release-hold", json=CLEARED))
    site.turn()
    assert site.rollout(rollout)["phase"] == ("Promoted" if first else "Progressing")


def test_no_person_promotes_or_raises_weight_while_it_is_held(site: InProcess, people: dict[str, TestClient]) -> None:
    _, rollout = under_way(site)
    ok(people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))
    for person in (people["rita"], people["bob"]):
        refused = person.post(f"/v1/rollouts/{rollout}:promote", json=WORD)
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "held")
        assert f"held by ann: {DOUBT['reason']}" in refused.json()["detail"]
    ok(people["rita"].post(f"/v1/rollouts/{rollout}:pause", json=WORD))
    assert ok(people["rita"].post(f"/v1/rollouts/{rollout}:resume", json=WORD))["weight"] == 0.1
    assert site.rollout(rollout)["phase"] == "Progressing"


def test_every_way_to_more_traffic_refuses_while_it_is_held(site: InProcess, people: dict[str, TestClient]) -> None:
    _, rollout = under_way(site)
    ok(people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))

    def step(uow: UnitOfWork) -> None:
        enter_step(uow, lock_deployment(uow, "reviews"), find_rollout(uow.session, UUID(rollout)), 1, "because")

    def promotion(uow: UnitOfWork) -> None:
        deployment, row = lock_deployment(uow, "reviews"), find_rollout(uow.session, UUID(rollout))
        promote(
            uow, deployment, row, keep_decision(uow, row, decision_of("operator", "promote", "", {})), verified=True
        )

    for gain in (step, promotion):
        with site.database.begin("some new code") as uow, pytest.raises(Held):
            gain(uow)


def test_harm_abort_and_rollback_are_never_held(site: InProcess, people: dict[str, TestClient]) -> None:
    gateway, harmful = under_way(site)
    ok(people["ann"].post("/v1/deployments/reviews:hold", json=DOUBT))
    assert climb(site, gateway, harmful, canary_errors=0.5)["phase"] == "RolledBack"
    aborted = site.release(site.version())["id"]
    assert ok(site.client("operator").post(f"/v1/rollouts/{aborted}:abort", json=WORD))["phase"] == "Aborted"
    ok(people["bob"].post("/v1/deployments/reviews:release-hold", json=CLEARED))
    first = served(site)[0]
    second = site.canary(gateway)
    ok(people["rita"].post(f"/v1/rollouts/{second['id']}:promote", json=WORD))
    ok(people["ann"].post("/v1/deployments/reviews:hold", json=DOUBT))
    ok(people["rita"].post("/v1/deployments/reviews:rollback", json={**WORD, "force": True}))
    assert served(site) == (first, 0.0)


def test_the_weight_that_silence_took_comes_back_when_released(site: InProcess, people: dict[str, TestClient]) -> None:
    site.deploy(canary={**CANARY, "invalid_grace_seconds": 0})
    gateway, rollout = under_way(site)
    gateway.observe(40)
    site.turn()
    site.pass_time(100)
    site.turn(2)
    assert (site.rollout(rollout)["verdict"], site.rollout(rollout)["weight"]) == ("INVALID", 0.0)
    ok(people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))
    gateway.observe(40)
    site.turn()
    waiting = site.rollout(rollout)
    assert (waiting["phase"], waiting["weight"]) == ("Paused", 0.0)
    assert waiting["reason"].startswith("the weight of its step waits: held by ann")
    ok(people["bob"].post(f"/v1/rollouts/{rollout}:release-hold", json=CLEARED))
    gateway.observe(40)
    site.turn()
    assert (site.rollout(rollout)["phase"], site.rollout(rollout)["weight"]) == ("Progressing", 0.1)


@pytest.mark.parametrize("what", [0, 1], ids=["the rollout", "the deployment"])
def test_only_another_token_of_another_person_releases(
    site: InProcess, people: dict[str, TestClient], what: int
) -> None:
    _, rollout = under_way(site)
    url = both(rollout)[what]
    ok(people["ann"].post(f"{url}:hold", json=DOUBT))
    same_person = [people["ann"], site.person("ann", "admin"), site.person(" \uff21NN ", "auditor")]
    for person in same_person:
        refused = person.post(f"{url}:release-hold", json=CLEARED)
        assert refused.status_code == 403
        assert "another person" in refused.json()["detail"]
        assert refused.json()["title"] == "It takes another person to do that"
    for role in ("viewer", "operator", "releaser"):
        assert site.client(role).post(f"{url}:release-hold", json=CLEARED).status_code == 403
        assert site.client(role).post(f"{url}:hold", json=DOUBT).status_code == 403
    assert site.rollout(rollout)["holds"] != []
    ok(people["bob"].post(f"{url}:release-hold", json=CLEARED))
    assert people["bob"].post(f"{url}:release-hold", json=CLEARED).status_code == 409


@pytest.mark.parametrize("what", [0, 1], ids=["the rollout", "the deployment"])
def test_whoever_released_does_not_promote(site: InProcess, people: dict[str, TestClient], what: int) -> None:
    _, rollout = under_way(site)
    url = both(rollout)[what]
    ok(people["ann"].post(f"{url}:hold", json=DOUBT))
    ok(people["bob"].post(f"{url}:release-hold", json=CLEARED))
    for person in (people["bob"], site.person("Bob", "releaser")):
        refused = person.post(f"/v1/rollouts/{rollout}:promote", json=WORD)
        assert refused.status_code == 403
        assert refused.json()["detail"] == "bob released the hold of ann: another person promotes"
    assert ok(people["rita"].post(f"/v1/rollouts/{rollout}:promote", json=WORD))["phase"] == "Promoted"


def test_several_hold_and_each_hold_is_released_by_itself(site: InProcess, people: dict[str, TestClient]) -> None:
    _, rollout = under_way(site)
    url = f"/v1/rollouts/{rollout}"
    ok(people["ann"].post(f"{url}:hold", json=DOUBT))
    assert people["ann"].post(f"{url}:hold", json=DOUBT).status_code == 409
    holds = ok(people["bob"].post(f"{url}:hold", json={"reason": "me too"}))["holds"]
    ok(people["ann"].post("/v1/deployments/reviews:hold", json=DOUBT))
    unnamed = people["bob"].post(f"{url}:release-hold", json=CLEARED)
    assert (unnamed.status_code, unnamed.json()["field"]) == (409, "hold")
    assert {hold["id"] for hold in holds if hold["id"] in unnamed.json()["detail"]} == {hold["id"] for hold in holds}
    by_ann, by_bob = (hold["id"] for hold in holds)
    assert people["bob"].post(f"{url}:release-hold", json={**CLEARED, "hold": by_bob}).status_code == 403
    ok(people["bob"].post(f"{url}:release-hold", json={**CLEARED, "hold": by_ann}))
    left = ok(people["ann"].post(f"{url}:release-hold", json={**CLEARED, "hold": by_bob}))["holds"]
    assert [hold["rollout_id"] for hold in left] == [None]
    assert people["rita"].post(f"{url}:promote", json=WORD).json()["type"].endswith("/held")


def test_another_rollout_of_a_held_version_is_held_and_its_own_ends_do_not_release_it(
    site: InProcess, people: dict[str, TestClient]
) -> None:
    gateway, first = under_way(site)
    ok(people["ann"].post(f"/v1/rollouts/{first}:hold", json=DOUBT))
    ok(site.client("operator").post(f"/v1/rollouts/{first}:abort", json=WORD))
    again = site.release(UUID(site.rollout(first)["model_version_id"]))["id"]
    gateway.report()
    site.turn()
    assert site.rollout(again)["phase"] == "Verifying"
    assert [hold["rollout_id"] for hold in site.rollout(again)["holds"]] == [first]
    other = site.version()
    assert site.rollout(site.release(other)["id"])["holds"] == []
    ok(people["bob"].post(f"/v1/rollouts/{first}:release-hold", json=CLEARED))
    gateway.report()
    site.turn()
    assert site.rollout(again)["phase"] == "Progressing"
    assert people["bob"].post(f"/v1/rollouts/{again}:promote", json=WORD).status_code == 403


def test_what_has_ended_is_not_held(site: InProcess, people: dict[str, TestClient]) -> None:
    _, rollout = under_way(site)
    ok(people["rita"].post(f"/v1/rollouts/{rollout}:promote", json=WORD))
    assert people["ann"].post(f"/v1/rollouts/{rollout}:hold", json=DOUBT).status_code == 409
