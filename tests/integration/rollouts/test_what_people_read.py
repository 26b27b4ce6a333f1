"""What people read of a rollout: one step number wherever it is told, and versions by their names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import ok
from tests.support.facts import all_facts
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

Words = Callable[..., str]
STEPS = (0.1, 0.25, 0.5)
LADDER = {**CANARY, "steps": STEPS}


def test_the_step_is_the_same_number_everywhere(site: InProcess) -> None:
    site.deploy(canary=LADDER)
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.release(site.version())
    assert (rollout["step"], rollout["steps"]) == (0, 3), "no canary serves yet"
    gateway.report()
    site.turn()
    for number, weight in enumerate(STEPS, start=1):
        told = site.rollout(rollout["id"])
        desired = site.deployment()["desired"]
        assert (told["step"], told["weight"]) == (desired["step"], desired["weight"]) == (number, weight)
        assert any(line.startswith(f"ladder: step {number} of 3, canary weight ") for line in told["analysis"])
        assert (facts(site)[-1]["step"], facts(site)[-1]["weight"]) == (number, weight)
        if number < len(STEPS):
            climb_one(site, gateway, rollout["id"], number)
            assert facts(site)[-1]["reason"] == f"step {number} of 3 is left without harm"
    left = [one["reason"] for one in site.decisions(rollout["id"]) if one["verdict"] == "ADVANCE"]
    assert left == ["step 1 of 3 is left without harm", "step 2 of 3 is left without harm"]
    ok(site.client("operator").post(f"/v1/rollouts/{rollout['id']}:abort", json={"reason": "a test"}))
    word = site.decisions(rollout["id"])[-1]
    assert "step: 3" in word["why"]
    assert site.deployment()["desired"]["step"] == 0, "no canary serves any more"


def test_the_cli_tells_the_step_as_one_of_how_many(site: InProcess, words: Words) -> None:
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    for line in ("status", "rollout list", f"rollout get {rollout['id']}", "deployment list", "deployment get reviews"):
        said = words(line)
        assert "sentiment/2" in said, line
        assert "sentiment/1" in said or line == "rollout list", line
    assert "1 of 2" in words("status")
    assert "1 of 2" in words("rollout list")


def test_every_view_of_a_version_has_its_name_beside_its_id(site: InProcess) -> None:
    first = site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    gateway.report()
    second, viewer = rollout["model_version_id"], site.client("viewer")
    names = {str(first): "sentiment/1", second: "sentiment/2", None: None}
    listed = ok(viewer.get("/v1/rollouts"))["items"][0]
    assert (rollout["model_version"], rollout["previous_version"]) == ("sentiment/2", "sentiment/1")
    assert (listed["model_version"], listed["previous_version"]) == ("sentiment/2", "sentiment/1")
    served = ok(viewer.get("/v1/deployments/reviews/served"))
    for shown in (site.deployment()["desired"], served["desired"], *served["applied"]):
        assert (shown["stable_version"], shown["canary_version"]) == (names[shown["stable"]], names[shown["canary"]])
        assert shown["stable_version"] == "sentiment/1"
    (told,) = ok(viewer.get("/v1/deployments/reviews/gateways"))
    assert told["loaded_versions"] == [names[one] for one in told["loaded"]]
    assert set(told["loaded_versions"]) == {"sentiment/1", "sentiment/2"}


def test_a_rollback_tells_both_versions_by_name(site: InProcess, words: Words) -> None:
    site.first_champion()
    rollout = site.canary(Gateway(site))
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json={"reason": "a test"}))
    body = {"reason": "it was better before", "force": True}
    asked = ok(site.client("releaser").post("/v1/deployments/reviews:rollback", json=body))
    assert (asked["target_version"], asked["previous_version"]) == ("sentiment/1", "sentiment/2")
    said = words("deployment rollbacks reviews")
    assert "sentiment/1" in said
    assert "sentiment/2" in said


def facts(site: InProcess) -> list[dict[str, Any]]:
    """What the outside is told of progress, oldest first."""
    return [fact.data for fact in all_facts(site.database) if fact.type == "dev.graftwork.rollout.advanced.v1"]


def climb_one(site: InProcess, gateway: Gateway, rollout_id: str, step: int) -> None:
    for _ in range(60):
        if site.rollout(rollout_id)["step"] != step:
            return
        gateway.observe(400)
        site.turn()
        gateway.report()
    pytest.fail(f"step {step} is never left: {site.rollout(rollout_id)}")


def test_an_application_labels_with_a_token_that_can_do_nothing_else(site: InProcess, words: Words) -> None:
    site.deploy()
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    assert words(f"feedback {gateway.prediction('canary', 'positive')} positive", "feedback") == "counted\n"
    assert "actor: feedback" in words(f"rollout get {rollout['id']}")
    assert {site.client("feedback").get(path).status_code for path in ("/v1/rollouts", "/v1/jobs")} == {403}


@pytest.mark.parametrize("noun", ["rollout", "deployment"])
def test_a_hold_is_placed_seen_and_released_by_verbs(site: InProcess, words: Words, noun: str) -> None:
    site.deploy()
    site.first_champion()
    rollout = site.canary(Gateway(site))["id"]
    name = rollout[:8] if noun == "rollout" else "reviews"
    assert "actor: auditor" in words(f"{noun} hold {name} --reason doubts", "auditor")
    waits = f"{noun} {name} is held by auditor (doubts): another auditor or admin: graftwork {noun} release-hold {name}"
    assert waits in words("status")
    assert "held by auditor" in words(f"rollout get {rollout}")
    hold = site.rollout(rollout)["holds"][0]["id"]
    words(f"{noun} release-hold {name} --reason cleared --hold {hold}", "admin")
    assert "held by auditor" not in words("status") + words(f"rollout get {rollout}")
    assert "release-hold" in words(f"rollout decisions {rollout}")


def test_a_history_tells_who_changed_what_and_why(site: InProcess, words: Words, tmp_path: Path) -> None:
    files = {
        "pipeline": "name: rows\nstages: {curate: {kind: curate, spec: {dataset: rows, sources: [{uri: 'file:///x'}]}}}",
        "trigger": "name: rows\npipeline: rows\ntypes: [com.example.rows]\nsources: ['//example.com']",
        "deployment": "name: rows\nmodel: sentiment\nalias: nightly\npolicy: {verify_seconds: 60}",
    }
    for noun, document in files.items():
        file = tmp_path / f"{noun}.yaml"
        file.write_text(document)
        words(f"{noun} apply {file}", "releaser")
    (tmp_path / "deployment.yaml").write_text(files["deployment"].replace("60", "90"))
    words(f"deployment apply {tmp_path / 'deployment.yaml'} --reason slower-disks", "admin")
    newest, change, first = words("deployment history rows").splitlines()[:3]
    assert newest.startswith("2 · ")
    assert newest.endswith(" UTC · admin · slower-disks")
    assert change == "  policy.verify_seconds: 60.0 → 90.0"
    assert first.endswith(" UTC · releaser")
    words("trigger delete rows --reason obsolete", "operator")
    assert "deleted" in words("trigger history rows")
    assert words("pipeline history rows").startswith("1 · ")
