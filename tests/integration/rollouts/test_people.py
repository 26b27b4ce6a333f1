"""Operators at a rollout: pause, promote, two at once; and what it announces."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlmodel import select

from controlplane.domain.analysis.state import AnalysisState
from controlplane.store.serving_tables import DecisionRow, RolloutRow
from tests.support.answers import ok
from tests.support.facts import apart
from tests.support.rollouts import WORD, climb
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess


def test_pause_resume_and_the_revision(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    operator = site.client("operator")
    url = f"/v1/rollouts/{rollout['id']}"
    paused = ok(operator.post(f"{url}:pause", json={**WORD, "revision": rollout["revision"]}))
    assert (paused["phase"], paused["weight"]) == ("Paused", 0.1)
    stale = operator.post(f"{url}:resume", json={**WORD, "revision": rollout["revision"]})
    assert stale.status_code == 409
    for _ in range(3):
        gateway.observe(400)
        site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Paused"
    assert ok(operator.post(f"{url}:resume", json=WORD))["phase"] == "Progressing"
    assert climb(site, gateway, rollout["id"])["phase"] == "Promoted"


def test_harm_is_acted_upon_while_paused(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:pause", json=WORD))
    assert climb(site, gateway, rollout["id"], canary_errors=0.5)["phase"] == "RolledBack"


def test_time_without_evidence_is_inconclusive_and_waits_for_a_person(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "max_seconds": 3600})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    site.pass_time(4000)
    gateway.observe(10)
    site.turn()
    held = site.rollout(rollout["id"])
    assert (held["phase"], held["verdict"], held["weight"]) == ("Paused", "INCONCLUSIVE", 0.1)
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Paused"
    assert site.client("operator").post(f"/v1/rollouts/{rollout['id']}:promote", json=WORD).status_code == 403
    promoted = ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json=WORD))
    assert promoted["phase"] == "Promoted"
    assert site.moves()[0]["actor"] == "releaser"
    word = site.decisions(rollout["id"])[-1]
    assert (word["kind"], word["verdict"], word["actor"]) == ("operator", "promote", "releaser")
    assert any("verdict: INCONCLUSIVE" in line for line in word["why"])


@pytest.mark.by_turns
def test_two_people_promote_at_once_and_it_happens_once(site: InProcess) -> None:
    """100 tries; the loser is told 409."""
    site.first_champion()
    gateway = Gateway(site)
    clients = [site.client("releaser"), site.client("admin")]
    with ThreadPoolExecutor(2) as pool:
        for number in range(100):
            rollout = site.canary(gateway)
            generation = gateway.generation().generation
            url = f"/v1/rollouts/{rollout['id']}:promote"
            answers = list(pool.map(lambda client, url=url: client.post(url, json=WORD).status_code, clients))
            assert sorted(answers) == [200, 409], number
            assert gateway.generation().generation == generation + 1
    assert len(site.moves()) == 50  # one page
    assert set(site.phases()[:50]) == {"Promoted"}


def test_a_retried_promotion_gets_the_stored_answer(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    client, url = site.client("releaser"), f"/v1/rollouts/{rollout['id']}:promote"
    headers = {"idempotency-key": "once"}
    first = client.post(url, json=WORD, headers=headers)
    second = client.post(url, json=WORD, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert len(site.moves()) == 2


def test_a_decision_whose_inputs_were_changed_is_not_what_was_decided(site: InProcess) -> None:
    """Whatever its kind: a person's word and a probe's answers cannot be judged again, and still have a digest."""
    site.first_champion()
    rollout = site.canary(Gateway(site))
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:pause", json=WORD))
    before = site.decisions(rollout["id"])
    assert [(decision["kind"], decision["recomputed"]) for decision in before] == [
        ("gates", True),
        ("verification", True),
        ("operator", True),
    ]
    with site.database.begin("insider") as uow:
        for row in uow.session.exec(select(DecisionRow)).all():
            row.inputs = {**row.inputs, "planted": "by an insider"}
    for decision in site.decisions(rollout["id"]):
        assert decision["recomputed"] is False
        assert decision["why"][-1] == f"the stored inputs do not have the digest {decision['digest']}"


def test_everything_a_rollout_announces_is_one_journey(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    waiting = site.release(site.version())
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json=WORD))
    events, asked = apart(ok(site.client("viewer").get("/v1/events", params={"after": 0, "limit": 1000}))["items"])
    mine = [event for event in events if event["correlationid"] == rollout["correlationid"]]
    words = [event["data"]["action"] for event in asked if event["correlationid"] == rollout["correlationid"]]
    assert words == ["rollout.start", "rollout.promote"]
    assert [event["type"].removeprefix("dev.graftwork.") for event in mine] == [
        "rollout.started.v1",
        "deployment.generation_created.v1",
        "rollout.advanced.v1",
        "deployment.generation_created.v1",
        "rollout.advanced.v1",
        "deployment.generation_created.v1",
        "model.alias_moved.v1",
        "rollout.finished.v1",
    ]
    assert {event["causationid"] for event in mine[1:]} == {mine[0]["id"]}
    next_ones = [event["type"] for event in events if event["correlationid"] == waiting["correlationid"]]
    assert next_ones == [
        "dev.graftwork.rollout.started.v1",
        "dev.graftwork.deployment.generation_created.v1",
        "dev.graftwork.rollout.advanced.v1",
    ]


def test_gateways_that_post_while_two_reconcilers_fold_lose_no_accepted_unit(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "step_seconds": 1000})
    site.first_champion()
    start = int(time.time()) + 1000
    gateways = [Gateway(site, f"gateway-{number}", start) for number in range(3)]
    rollout = site.release(site.version())
    for gateway in gateways:
        gateway.report()
    site.turn()
    seen, done = gateways[0].seen(20), threading.Event()

    def post(gateway: Gateway) -> int:
        answers = [gateway.send(start + second, [seen]).status_code for second in range(25)]
        assert set(answers) <= {200, 409}
        return 20 * answers.count(200)

    def fold() -> None:
        while not done.is_set():
            site.turn()

    with ThreadPoolExecutor(5) as pool:
        folding = [pool.submit(fold) for _ in range(2)]
        accepted = sum(pool.map(post, gateways))
        done.set()
        for future in folding:
            future.result()
    site.turn()
    with site.database.read() as session:
        row = session.get(RolloutRow, UUID(rollout["id"]))
        assert row is not None
        state = AnalysisState.model_validate(row.analysis)
    assert state.horizon == start + 24
    assert state.generations[0].stable_units + state.generations[0].canary_units == accepted
    assert accepted > 0


def test_a_damaged_rollout_does_not_stop_the_others(site: InProcess) -> None:
    site.first_champion()
    damaged = site.canary(Gateway(site))
    with site.database.begin("test") as uow:
        row = uow.session.get(RolloutRow, UUID(damaged["id"]))
        assert row is not None
        row.analysis = {"not": "a state"}
    body = {"model": "sentiment", "alias": "second", "policy": {"gates": []}}
    ok(site.client("releaser").put("/v1/deployments/second", json=body))
    other = site.release(site.version(), deployment="second")
    with pytest.raises(ExceptionGroup) as raised:
        site.turn()
    assert damaged["id"] in raised.value.exceptions[0].__notes__[0]
    assert site.rollout(other["id"])["phase"] == "Promoted"
