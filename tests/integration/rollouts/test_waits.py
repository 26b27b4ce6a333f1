"""What a rollout waits for is said wherever it is read, with the verb that ends it; and that verb does end it."""

import shlex
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from controlplane.cli.progress import of_rollout
from controlplane.store.serving_tables import GatewayBootRow
from schemas.views.rollouts import RolloutDetail
from tests.support.answers import ok
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess

Words = Callable[..., str]
WHY = {"reason": "users complain"}
WAITED = "waits_for"


def frozen(site: InProcess, words: Words) -> tuple[str, str]:
    """A deployment whose queue a rollback froze, what the rollback said, and a rollout that begins afterwards."""
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json=WHY))
    said = words("deployment rollback reviews --force --reason 'users complain'", "releaser")
    return said, site.release(site.version())["id"]


def everywhere(site: InProcess, words: Words, rollout: str) -> str:
    """The wait as the API tells it, once it is known that each view of the CLI tells the same."""
    told = site.rollout(rollout)
    waits: str = told[WAITED]
    assert waits
    (listed,) = [one for one in ok(site.client("viewer").get("/v1/rollouts"))["items"] if one["id"] == rollout]
    assert listed[WAITED] == waits
    assert waits in words("rollout list")
    assert waits in words(f"rollout get {rollout}")
    (line,) = of_rollout(RolloutDetail.model_validate(told)).lines
    assert f"waits: {waits}" in line.words, "the progress line of --wait"
    return waits


def verb_of(waits: str, start: str) -> str:
    """The command that it names, with a reason where it asks for one."""
    return waits[waits.index(start) :].split("; ")[0].split(",")[0].removeprefix("graftwork ").replace("…", "a test")


def test_a_frozen_queue_names_the_rollback_and_the_verb_that_resumes_it(site: InProcess, words: Words) -> None:
    said, rollout = frozen(site, words)
    resume = "deployment reviews is frozen: graftwork deployment resume reviews"
    assert said.splitlines()[-1].endswith(resume)
    waits = everywhere(site, words, rollout)
    assert waits == resume.replace(":", " (rollback: users complain):", 1)
    assert waits in words("status")
    words(verb_of(waits, "graftwork deployment resume"), "releaser")
    assert site.rollout(rollout)["phase"] == "Verifying"
    assert site.rollout(rollout)[WAITED] == ""


def test_one_that_queues_names_the_one_in_front_and_how_many_come_before(site: InProcess, words: Words) -> None:
    site.first_champion()
    active = site.canary(Gateway(site))["id"]
    second, third = site.release(site.version())["id"], site.release(site.version())["id"]
    in_front = f"rollout {active[:8]} of sentiment/2 is in front (Progressing)"
    assert everywhere(site, words, second).startswith(f"{in_front}: graftwork rollout get {active[:8]} -w")
    assert everywhere(site, words, third).startswith(f"{in_front}, and 1 queued before this one: ")
    ok(site.client("operator").post(f"/v1/rollouts/{active}:abort", json=WHY))
    assert site.rollout(second)[WAITED] == ""
    assert f"rollout {second[:8]} of sentiment/3 is in front (Verifying)" in everywhere(site, words, third)


@pytest.mark.parametrize("noun", ["rollout", "deployment"])
def test_a_hold_names_who_placed_it_and_the_verb_that_releases_it(site: InProcess, words: Words, noun: str) -> None:
    site.first_champion()
    rollout = site.canary(Gateway(site))["id"]
    words(f"{noun} hold {rollout if noun == 'rollout' else 'reviews'} --reason doubts", "auditor")
    waits = everywhere(site, words, rollout)
    assert "is held by auditor (doubts): another auditor or admin: graftwork" in waits
    words(verb_of(waits, f"graftwork {noun} release-hold"), "admin")
    assert site.rollout(rollout)[WAITED] == ""


def test_a_paused_one_names_the_verb_that_lets_it_go_on(site: InProcess, words: Words) -> None:
    site.first_champion()
    rollout = site.canary(Gateway(site))["id"]
    words(f"rollout pause {rollout} --reason 'an incident'", "operator")
    waits = everywhere(site, words, rollout)
    assert waits in words("status")
    words(verb_of(waits, "graftwork rollout resume"), "operator")
    assert (site.rollout(rollout)["phase"], site.rollout(rollout)[WAITED]) == ("Progressing", "")


def fall_silent(site: InProcess) -> None:
    """Every gateway, for longer than one may be."""
    with site.database.begin("test") as uow:
        for boot in uow.session.exec(select(GatewayBootRow)):
            boot.reported_at = uow.now() - timedelta(seconds=site.settings.gateway_silence_seconds + 1)


def test_silent_gateways_are_what_verification_and_evidence_wait_for(site: InProcess, words: Words) -> None:
    site.first_champion()
    verifying = site.release(site.version())["id"]
    none = "no gateway of reviews is live: graftwork up, or graftwork serve --deployment reviews"
    assert everywhere(site, words, verifying) == none
    gateway = Gateway(site)
    assert site.rollout(verifying)[WAITED] == ""
    gateway.report()
    site.turn()
    assert site.rollout(verifying)["phase"] == "Progressing"
    fall_silent(site)
    assert everywhere(site, words, verifying) == none


def test_one_that_has_ended_waits_for_nothing(site: InProcess, words: Words) -> None:
    site.first_champion()
    rollout = site.canary(Gateway(site))["id"]
    ok(site.client("operator").post(f"/v1/rollouts/{rollout}:abort", json=WHY))
    assert site.rollout(rollout)[WAITED] == ""


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ("deployment hold reviews --reason doubts", "auditor"),
        ("deployment apply {file}", "releaser"),
        ("rollout get {rollout} -w", "viewer"),
    ],
)
def test_a_verb_shows_what_it_did_and_not_the_policy(
    site: InProcess, words: Words, tmp_path: Any, line: str, role: str
) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("{name: reviews, model: sentiment}")
    site.first_champion()
    (rollout,) = [one["id"] for one in ok(site.client("viewer").get("/v1/rollouts"))["items"]]
    line = line.format(file=shlex.quote(str(file)), rollout=rollout)
    said = words(line, role)
    assert "reviews" in said
    assert "verify_seconds" not in said
    assert "verify_seconds" in words("deployment get reviews")
