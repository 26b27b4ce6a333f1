"""A first release, and planted canaries: each ends as its evidence says."""

from typing import Any

import pytest

from tests.support.answers import ok
from tests.support.rollouts import WORD, climb
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess


def test_first_release_without_a_gateway_moves_the_pointer_unverified(site: InProcess) -> None:
    version = site.version()
    rollout = site.release(version)
    assert rollout["phase"] == "Verifying"
    site.turn()
    assert site.rollout(rollout["id"])["phase"] == "Promoted"
    assert site.deployment()["desired"]["stable"] == str(version)
    assert site.deployment()["desired"]["canary"] is None
    move = site.moves()[0]
    assert move["verified"] is False


def test_first_release_with_a_gateway_waits_for_its_smoke_row(site: InProcess) -> None:
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


def test_a_version_that_no_gateway_can_load_is_aborted(site: InProcess) -> None:
    gateway = Gateway(site)
    rollout = site.release(site.version())
    gateway.report(ok_=False, detail="InvalidGraph: truncated")
    site.pass_time(200)
    site.turn()
    rollout = site.rollout(rollout["id"])
    assert rollout["phase"] == "Aborted"
    assert "truncated" in rollout["reason"]
    assert site.deployment()["desired"]["stable"] is None


def test_a_healthy_canary_is_promoted(site: InProcess) -> None:
    site.first_champion()
    gateway = Gateway(site)
    version = site.version()
    rollout = site.canary(gateway, version=version)
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


def test_a_canary_with_errors_is_rolled_back_to_weight_0(site: InProcess) -> None:
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


@pytest.mark.parametrize(
    ("metrics", "phase"),
    [([{"name": "error"}], "Promoted"), ([{"name": "error"}, {"name": "abandoned", "margin": 0.05}], "RolledBack")],
)
def test_a_canary_that_drives_callers_away_is_rolled_back_where_that_is_compared(
    site: InProcess, metrics: list[dict[str, Any]], phase: str
) -> None:
    site.deploy(canary={**CANARY, "metrics": metrics})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    ended = climb(site, gateway, rollout["id"], canary_abandoned=0.1)
    assert ended["phase"] == phase
    decision = site.decisions(rollout["id"])[-1]
    assert decision["recomputed"]
    [told] = [line for line in decision["why"] if line.startswith("abandoned: stable 0 of ")]
    assert "(10.00%)" in told
    assert told.endswith("; the policy does not compare them") == (phase == "Promoted")


def test_flipped_labels_are_rolled_back(site: InProcess) -> None:
    metrics = [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.05}]
    site.deploy(canary={**CANARY, "metrics": metrics, "label_wait_seconds": 20})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.label(40)
    ended = climb(site, gateway, rollout["id"], seconds=24)
    assert (ended["phase"], ended["verdict"]) == ("RolledBack", "HARM")
    assert "`wrong`" in ended["reason"]
    late = gateway.prediction("stable", "positive")
    assert ok(gateway.feedback(late, "positive")) == {"counted": False}


def test_units_in_the_wrong_ratio_make_it_invalid_for_good(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "invalid_grace_seconds": 0})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.observe(400, canary_share=0.5)
    site.turn()
    standing = site.rollout(rollout["id"])
    assert (standing["phase"], standing["verdict"], standing["paused_for"]) == ("Paused", "INVALID", "invalid")
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


def test_silence_of_the_gateways_stops_the_ladder_and_ends_by_itself(site: InProcess) -> None:
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


def test_two_lost_boots_under_a_canary_make_it_invalid(site: InProcess) -> None:
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


def test_lost_units_that_the_fold_has_passed_are_folded_behind_its_horizon(site: InProcess) -> None:
    site.deploy(canary={**CANARY, "step_seconds": 1000})
    site.first_champion()
    gateway = Gateway(site)
    other = Gateway(site, "gateway-2", first_second=gateway.second)
    rollout = site.canary(gateway, other)
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
