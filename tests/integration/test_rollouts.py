"""Rollouts through the API: planted canaries, gates, the queue, and two people at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from controlplane.commands.rollouts import StartRollout, start_rollout
from controlplane.domain.analysis.state import AnalysisState
from controlplane.store.database import Database
from controlplane.store.serving_tables import ObservationRow, RolloutRow
from tests.support.releases import CANARY, Gateway, Learnt, Site, ok

WORD = {"reason": "a person says so"}


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    site.deploy()
    return site


def climb(site: Site, gateway: Gateway, rollout_id: str, *, seconds: int = 40, **traffic: Any) -> dict[str, Any]:
    """Observed seconds, each followed by a fold, until the rollout has ended."""
    for _ in range(seconds):
        gateway.observe(400, **traffic)
        site.turn()
        rollout = site.rollout(rollout_id)
        if rollout["finished_at"]:
            return rollout
        gateway.report()
    return rollout


# --- first release ----------------------------------------------------------------------------------------------------


def test_first_release_without_a_gateway_moves_the_pointer_unverified(site: Site) -> None:
    version = site.version()
    rollout = site.release(version)
    assert rollout["phase"] == "Verifying"
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Promoted"
    assert site.deployment()["desired"]["stable"] == str(version)
    assert site.deployment()["desired"]["canary"] is None
    move = site.moves()[0]
    assert move["verified"] is False


def test_first_release_with_a_gateway_waits_for_its_smoke_row(site: Site) -> None:
    gateway = Gateway(site)
    version = site.version()
    rollout = site.release(version)
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Verifying"
    assert gateway.generation().stable is None
    assert gateway.generation().probe_version is not None
    gateway.report()
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Promoted"
    assert site.moves()[0]["verified"] is True
    stable = gateway.generation().stable
    assert stable is not None
    assert stable.id == version


def test_a_version_that_no_gateway_can_load_is_aborted(site: Site) -> None:
    gateway = Gateway(site)
    rollout = site.release(site.version())
    gateway.report(ok_=False, detail="InvalidGraph: truncated")
    site.pass_time(200)
    site.turn()
    rollout = site.rollout(rollout["id"])
    assert rollout["phase"] == "Aborted"
    assert "truncated" in rollout["reason"]
    assert site.deployment()["desired"]["stable"] is None


# --- the canary -------------------------------------------------------------------------------------------------------


def test_a_healthy_canary_is_promoted(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    version = site.version()
    rollout = site.canary(gateway, version)
    assert rollout["weight"] == 0.1
    ended = climb(site, gateway, rollout["id"])
    assert (ended["phase"], ended["verdict"]) == ("Promoted", "SAFE")
    assert site.deployment()["desired"]["stable"] == str(version)
    assert site.moves()[0]["model_version_id"] == str(version)
    decisions = site.decisions(rollout["id"])
    assert [d["verdict"] for d in decisions] == ["Passed", "Verified", "ADVANCE", "SAFE"]
    assert all(d["recomputed"] for d in decisions)
    assert site.moves()[0]["evidence_digest"] == decisions[-1]["digest"]
    assert any("evidence of harm" in line for line in decisions[-1]["why"])


def test_a_canary_with_errors_is_rolled_back_to_weight_0(site: Site) -> None:
    champion = site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    ended = climb(site, gateway, rollout["id"], canary_errors=0.3, stable_errors=0.01)
    assert (ended["phase"], ended["verdict"], ended["weight"]) == ("RolledBack", "HARM", 0.0)
    desired = gateway.generation()
    assert (desired.canary, desired.weight) == (None, 0.0)
    assert desired.stable is not None
    assert desired.stable.id == champion
    assert site.moves()[0]["model_version_id"] == str(champion)
    assert site.decisions(rollout["id"])[-1]["recomputed"]


def test_flipped_labels_are_rolled_back(site: Site) -> None:
    metrics = [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}]
    site.deploy(canary={**CANARY, "metrics": metrics})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(400)
    for number in range(40):
        stable = gateway.prediction("stable", "positive")
        canary = gateway.prediction("canary", "negative")
        assert ok(gateway.feedback(stable, "positive" if number % 5 else "negative")) == {"counted": True}
        assert ok(gateway.feedback(canary, "positive")) == {"counted": True}
    site.pass_time(3)  # labels younger than two seconds wait
    ended = climb(site, gateway, rollout["id"], seconds=1)
    assert (ended["phase"], ended["verdict"]) == ("RolledBack", "HARM")
    assert "`wrong`" in ended["reason"]
    late = gateway.prediction("stable", "positive")
    assert ok(gateway.feedback(late, "positive")) == {"counted": False}


def test_units_in_the_wrong_ratio_make_it_invalid_for_good(site: Site) -> None:
    site.deploy(canary={**CANARY, "invalid_grace_seconds": 0})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(400, canary_share=0.5)
    site.turn()
    standing = site.rollout(rollout["id"])
    assert (standing["phase"], standing["verdict"], standing["hold"]) == ("Paused", "INVALID", "invalid")
    assert standing["weight"] == 0.1
    site.turn()
    assert site.rollout(rollout["id"])["weight"] == 0.0
    assert gateway.generation().canary is None
    gateway.observe(400)
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Paused"
    refused = site.client("operator").post(f"/v1/rollouts/{rollout['id']}:resume", json=WORD)
    assert refused.status_code == 409
    assert "INVALID" in refused.json()["detail"]
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:abort", json=WORD))


def test_silence_of_the_gateways_stops_the_ladder_and_ends_by_itself(site: Site) -> None:
    site.deploy(canary={**CANARY, "invalid_grace_seconds": 30})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(400)
    site.pass_time(100)
    site.turn(2)
    silent = site.rollout(rollout["id"])
    assert (silent["phase"], silent["verdict"], silent["weight"]) == ("Paused", "INVALID", 0.1)
    site.pass_time(100)
    site.turn()
    silent = site.rollout(rollout["id"])
    assert (silent["phase"], silent["verdict"], silent["weight"]) == ("Paused", "INVALID", 0.0)
    gateway.observe(0)
    site.turn()
    again = site.rollout(rollout["id"])
    assert (again["phase"], again["verdict"], again["weight"]) == ("Progressing", None, 0.1)
    verdicts = [d["verdict"] for d in site.decisions(rollout["id"])]
    assert verdicts[-3:] == ["INVALID", "INVALID", "VALID"]


def test_two_lost_boots_under_a_canary_make_it_invalid(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    for _ in range(2):
        gateway.observe(400)
        lost = gateway.seen(2, canary_errors=1.0, stable_errors=1.0, canary_share=0.5)
        over = gateway.restart()
        assert gateway.send_lost(over, [(gateway.second, lost)]).status_code == 204
        assert gateway.send_lost(over, [(gateway.second, lost)]).status_code == 204  # a repeat changes nothing
    site.turn(2)
    standing = site.rollout(rollout["id"])
    assert (standing["phase"], standing["verdict"], standing["weight"]) == ("Paused", "INVALID", 0.0)
    assert "boots were lost" in standing["reason"]


def test_lost_units_that_the_fold_has_passed_are_folded_behind_its_horizon(site: Site) -> None:
    site.deploy(canary={**CANARY, "step_seconds": 1000})
    site.first_champion()
    gateway = Gateway(site)
    other = Gateway(site, "gateway-2", first_second=gateway.second)
    rollout = site.release(site.version())
    gateway.report()
    other.report()
    site.turn()
    lost = gateway.seen(20, canary_errors=1.0, canary_share=1.0)
    gateway.observe(0)
    for _ in range(3):
        other.observe(200)
    over, second = gateway.restart(), gateway.second
    site.pass_time(20)  # the first boot has been silent for too long
    other.observe(0)
    gateway.second = other.second
    gateway.observe(0)
    site.turn()
    gateway.send_lost(over, [(second, lost)])
    other.observe(100)
    gateway.observe(0)
    site.turn()
    analysis = "\n".join(site.rollout(rollout["id"])["analysis"])
    assert "canary 20 of 90 units" in analysis  # 60 in time, 20 lost, 10 beside them


# --- observations -----------------------------------------------------------------------------------------------------


def test_a_late_second_gets_409_and_is_recorded(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    gateway.observe(50)
    gateway.observe(50)
    site.turn()
    late = Gateway(site, "gateway-2", first_second=gateway.second - 2)
    refused = late.send(gateway.second - 2, [late.seen(30)])
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert late.send(gateway.second - 2, [late.seen(30)]).status_code == 409
    listed = ok(site.client("viewer").get("/v1/deployments/reviews/gateways"))
    recorded = next(item for item in listed if item["gateway"] == "gateway-2")
    assert (recorded["late_seconds"], recorded["late_units"]) == (1, 30)
    late.second = gateway.second
    late.observe(10)


def test_a_repeated_second_changes_nothing(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    seen = gateway.seen(100)
    first = ok(gateway.send(gateway.second, [seen]))
    assert first["lease_seconds"] == 15.0
    assert ok(gateway.send(gateway.second, [seen])) == first
    site.turn()
    assert ok(gateway.send(gateway.second, [seen])) == first
    with site.database.read() as session:
        assert len(session.exec(select(ObservationRow)).all()) == 1


def test_the_lease_is_renewed_only_while_somebody_folds(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    gateway.observe(10)
    assert gateway.lease == 0.0
    site.canary(gateway)
    gateway.observe(10)
    assert gateway.lease == 15.0
    site.pass_time(40)
    gateway.observe(10)
    assert gateway.lease == 0.0
    site.turn()
    gateway.observe(10)
    assert gateway.lease == 15.0


def test_a_boot_that_is_not_registered_is_told_so(site: Site) -> None:
    gateway = Gateway(site)
    gateway.boot = UUID(int=1)
    assert gateway.send(gateway.second, []).status_code == 404


def test_a_clock_that_is_far_off_moves_no_fold(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    now = int(time.time())
    ahead = gateway.send(now + 1_000_000, [gateway.seen(10)])
    assert (ahead.status_code, ahead.json()["field"]) == (422, "second")
    assert "set the gateway's clock" in ahead.json()["detail"]
    behind = Gateway(site, "gateway-2", first_second=1000)
    assert behind.send(1000, [behind.seen(10)]).status_code == 409
    body = {"boot": str(UUID(int=5)), "gateway": "g", "deployment": "reviews"}
    body |= {"first_second": now + 1_000_000, "sent_second": now}
    assert site.client("gateway").post("/v1/gateway/boots", json=body).status_code == 422


@pytest.mark.parametrize("clock_behind", [3 * 3600, -3 * 3600], ids=["hours behind", "hours ahead"])
def test_a_wrong_clock_is_corrected_when_its_boot_registers(site: Site, clock_behind: int) -> None:
    site.first_champion()
    right = Gateway(site)
    rollout = site.canary(right)
    wrong = Gateway(site, "gateway-2", first_second=right.second, clock_behind=clock_behind)
    for _ in range(3):
        right.observe(50)
        answer = ok(wrong.send(wrong.second, [wrong.seen(50)]))
        assert answer["watermark"] == wrong.second
        wrong.second += 1
    site.turn()
    with site.database.read() as session:
        row = session.get(RolloutRow, UUID(rollout["id"]))
        assert row is not None
        assert row.horizon == right.second - 1
        observed = session.exec(select(ObservationRow.second).where(ObservationRow.boot == wrong.boot)).all()
    assert sorted(observed) == [right.second - 3, right.second - 2, right.second - 1]


def test_a_wrong_clock_is_corrected_for_lost_units_too(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site, clock_behind=3 * 3600)
    site.canary(gateway)
    gateway.observe(10)
    over = gateway.restart()
    lost = {"boot": str(over), "seconds": [{"boot": str(over), "second": gateway.second, "generations": []}]}
    assert site.client("gateway").post("/v1/gateway/lost-units", json=lost).status_code == 204
    with site.database.read() as session:
        row = session.exec(select(ObservationRow).where(ObservationRow.lost)).one()
    assert row.second == gateway.second + 3 * 3600


@pytest.mark.parametrize(
    "wrong",
    [{"generation": 2**40}, {"generation": -1}, {"stable": {"units": 2**70}}, {"stable": {"units": 1, "error": 2}}],
    ids=["huge generation", "negative generation", "huge count", "more errors than units"],
)
def test_numbers_that_cannot_be_are_refused(site: Site, wrong: dict[str, Any]) -> None:
    gateway = Gateway(site)
    assert gateway.send(gateway.second, [{**gateway.seen(10), **wrong}]).status_code == 422


# --- feedback ---------------------------------------------------------------------------------------------------------


def test_feedback_twice_gets_the_same_answer_and_counts_once(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    prediction = gateway.prediction("canary", "positive", unit="u")
    assert ok(gateway.feedback(prediction, "positive")) == {"counted": True}
    assert ok(gateway.feedback(prediction, "positive")) == {"counted": True}
    other = gateway.feedback(prediction, "negative")
    assert other.status_code == 409
    second_row = gateway.prediction("canary", "positive", unit="u", row=1)
    assert ok(gateway.feedback(second_row, "negative")) == {"counted": False}


def test_feedback_with_a_strange_label_or_a_forged_id_is_refused(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    prediction = gateway.prediction("canary", "positive")
    strange = gateway.feedback(prediction, "Positive")
    assert strange.status_code == 422
    assert "negative, positive" in strange.json()["detail"]
    forged = gateway.feedback(prediction[:-2] + "AA", "positive")
    assert forged.status_code == 422
    assert forged.json()["field"] == "prediction_id"


# --- gates ------------------------------------------------------------------------------------------------------------


def test_missing_evidence_refuses_and_says_what_is_missing(site: Site) -> None:
    site.deploy(gates=[{"gate": "parity"}, {"gate": "accuracy", "minimum": 0.7}])
    rollout = site.release(site.version())
    assert rollout["phase"] == "Aborted"
    assert {g["gate"]: g["status"] for g in rollout["gates"]} == {
        "graph": "Passed",
        "parity": "Passed",
        "accuracy": "Error",
    }
    assert "missing evidence" in rollout["reason"]
    assert site.release(site.version(Learnt(accuracy=0.8)))["phase"] == "Verifying"


def test_gates_compare_with_what_serves(site: Site) -> None:
    gates = [{"gate": "accuracy", "minimum": 0.5, "not_below_champion_by": 0.01}]
    site.deploy(gates=gates)
    first = site.release(site.version(Learnt(accuracy=0.8)))
    assert [g["status"] for g in first["gates"]] == ["Passed", "Passed", "NotApplicable"]
    site.turn()
    worse = site.release(site.version(Learnt(accuracy=0.75)))
    assert worse["phase"] == "Aborted"
    assert worse["gates"][-1]["status"] == "Failed"


def test_waiving_gates_needs_the_role_and_leaves_its_mark(site: Site) -> None:
    site.deploy(gates=[{"gate": "accuracy", "minimum": 0.9}])
    version = site.version(Learnt(accuracy=0.6))
    body = {"deployment": "reviews", "model_version": str(version), "reason": "r", "waive_gates": "a fire drill"}
    assert site.client("operator").post("/v1/rollouts", json=body).status_code == 403
    rollout = site.release(version, "releaser", waive_gates="a fire drill")
    assert rollout["phase"] == "Verifying"
    assert rollout["gates"][-1]["status"] == "Waived"
    assert [(d["kind"], d["verdict"]) for d in site.decisions(rollout["id"])] == [
        ("gates", "NotPassed"),
        ("operator", "Waived"),
    ]
    assert all(d["recomputed"] for d in site.decisions(rollout["id"]))


def test_a_version_without_a_graph_cannot_be_waived_through(site: Site) -> None:
    rollout = site.release(site.version(Learnt(exported=False)), "releaser", waive_gates="try me")
    assert rollout["phase"] == "Aborted"
    assert "never exported" in rollout["reason"]


# --- the queue and people ---------------------------------------------------------------------------------------------


def test_the_next_one_queues_and_starts_when_the_first_has_ended(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    first = site.canary(gateway)
    second = site.release(site.version())
    assert second["phase"] == "Queued"
    again = site.client("operator").post(
        "/v1/rollouts",
        json={"deployment": "reviews", "model_version": second["model_version_id"], "reason": "again"},
    )
    assert again.status_code == 409
    ok(site.client("operator").post(f"/v1/rollouts/{first['id']}:abort", json=WORD))
    assert site.phases() == ["Promoted", "Aborted", "Verifying"]


def test_a_newer_version_of_the_same_pipeline_supersedes_a_queued_one(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    for pipeline in ("retrain", "other", "retrain"):
        wish = StartRollout("reviews", site.version(), "by a pipeline", pipeline=pipeline)
        with site.database.begin("pipeline") as uow:
            start_rollout(uow, wish)
    assert site.phases() == ["Promoted", "Progressing", "Superseded", "Queued", "Queued"]


def test_two_releases_of_one_run_both_stay_in_the_queue(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    run = uuid4()
    for _ in range(2):
        wish = StartRollout("reviews", site.version(), "by a pipeline", pipeline="retrain", run_id=run)
        with site.database.begin("pipeline") as uow:
            start_rollout(uow, wish)
    assert site.phases() == ["Promoted", "Progressing", "Queued", "Queued"]


def test_pause_resume_and_the_revision(site: Site) -> None:
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


def test_harm_is_acted_upon_while_paused(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:pause", json=WORD))
    assert climb(site, gateway, rollout["id"], canary_errors=0.5)["phase"] == "RolledBack"


def test_time_without_evidence_is_inconclusive_and_waits_for_a_person(site: Site) -> None:
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


def test_two_people_promote_at_once_and_it_happens_once(site: Site) -> None:
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


def test_a_retried_promotion_gets_the_stored_answer(site: Site) -> None:
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


def test_everything_a_rollout_announces_is_one_journey(site: Site) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    waiting = site.release(site.version())
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json=WORD))
    events = ok(site.client("viewer").get("/v1/events", params={"after": 0, "limit": 1000}))["items"]
    mine = [event for event in events if event["correlationid"] == rollout["correlationid"]]
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


def test_gateways_that_post_while_two_reconcilers_fold_lose_no_accepted_unit(site: Site) -> None:
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


def test_a_damaged_rollout_does_not_stop_the_others(site: Site) -> None:
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
