"""An insider tries to get a bad version served without a waiver: each way ends where it began, and is audited."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from controlplane.store.database import Database
from tests.support.answers import ok
from tests.support.insider import DOUBT, EVE, Attempt, Insider, Way, right
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY


def forbidden(answer: Any) -> None:
    assert answer.status_code == 403, answer.text


def held(answer: Any) -> None:
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "held"), answer.text


def waive(insider: Insider) -> None:
    forbidden(insider.release(waive_gates="nobody will see"))


def promote(insider: Insider) -> None:
    _, rollout = insider.drill()
    forbidden(insider.me.post(f"/v1/rollouts/{rollout}:promote", json={"reason": "it looks well"}))
    insider.tidy_up(rollout)


def move_the_alias(insider: Insider) -> None:
    path, body = "/v1/models/sentiment/aliases/champion", {"model_version": str(insider.bad), "reason": "r"}
    forbidden(insider.me.put(path, json=body, headers={"if-match": f'"{insider.site.alias()["id"]}"'}))


def move_an_alias_that_nothing_follows(insider: Insider) -> None:
    path, body = "/v1/models/sentiment/aliases/candidate", {"model_version": str(insider.bad), "reason": "r"}
    forbidden(insider.me.put(path, json=body, headers={"if-none-match": "*"}))


def change_the_policy(insider: Insider) -> None:
    forbidden(insider.me.put("/v1/deployments/reviews", json={"model": "sentiment", "policy": {"gates": []}}))


def make_another_deployment(insider: Insider) -> None:
    forbidden(insider.me.put("/v1/deployments/mine", json={"model": "sentiment", "alias": "mine"}))


def roll_back_to_it(insider: Insider) -> None:
    body = {"reason": "r", "target": str(insider.bad), "force": True}
    forbidden(insider.me.post("/v1/deployments/reviews:rollback", json=body))


def become_a_worker(insider: Insider) -> None:
    forbidden(insider.me.post("/v1/tokens", json={"name": "mine", "role": "worker"}))
    forbidden(insider.me.post("/v1/jobs:claim", json={"kinds": ["evaluate"], "claim_id": str(uuid4()), "owner": "me"}))


def forge_a_result(insider: Insider) -> None:
    job = ok(insider.ask("evaluate"))
    body = {"attempt": 1, "owner": "me", "result": right(insider).model_dump(mode="json")}
    forbidden(insider.me.post(f"/v1/jobs/{job['id']}:complete", json=body))


def speak_for_the_traffic(insider: Insider) -> None:
    boot = Gateway(insider.site).boot
    body = {"boot": str(boot), "second": 1, "generations": []}
    forbidden(insider.me.post("/v1/gateway/observations", json=body))


def bring_a_graph_of_ones_own(insider: Insider) -> None:
    good = right(insider).conditions.graph.model_dump(mode="json")
    assert insider.ask("evaluate", graph=good).status_code == 422


def release_by_a_pipeline_without_gates(insider: Insider) -> None:
    stage = {"kind": "release", "deployment": "reviews", "model_version": str(insider.bad)}
    for more in ({"waive_gates": "quietly"}, {}):
        answer = insider.me.put("/v1/pipelines/mine", json={"name": "mine", "stages": {"release": stage | more}})
        assert answer.status_code == (422 if more else 200), answer.text
    ok(insider.me.post("/v1/pipelines/mine:run", json={"params": {}}))
    insider.site.turn()


def label_ones_own_answers(insider: Insider) -> None:
    gateway, rollout = insider.drill()
    for person in (insider.me, insider.eve("viewer"), insider.eve("releaser")):
        body = {"prediction_id": gateway.prediction("canary", "positive"), "label": "positive"}
        forbidden(person.post("/v1/feedback", json=body))
    assert insider.site.rollout(rollout)["labelled_by"] == []
    insider.tidy_up(rollout)


def flood_with_forged_labels(insider: Insider) -> None:
    """More than the log's pace: the entries that are missing are counted in the next one."""
    gateway, rollout = insider.drill()
    for _ in range(FLOOD):
        body = {"prediction_id": gateway.prediction("canary", "positive")[:-2] + "AA", "label": "positive"}
        forbidden(insider.me.post("/v1/feedback", json=body))
    assert insider.site.rollout(rollout)["labelled_by"] == []
    insider.tidy_up(rollout)


def hold_and_release_as_operator(insider: Insider) -> None:
    _, rollout = insider.drill(hold="rollout")
    for url in (f"/v1/rollouts/{rollout}", "/v1/deployments/reviews"):
        for verb in ("hold", "release-hold"):
            forbidden(insider.me.post(f"{url}:{verb}", json=DOUBT))
    insider.tidy_up(rollout)


def release_ones_own_hold(insider: Insider) -> None:
    _, rollout = insider.drill()
    ok(insider.eve("auditor").post(f"/v1/rollouts/{rollout}:hold", json=DOUBT))
    for role in ("auditor", "admin"):
        forbidden(insider.eve(role).post(f"/v1/rollouts/{rollout}:release-hold", json=DOUBT))
    insider.tidy_up(rollout)


def promote_a_held_rollout(insider: Insider) -> None:
    promote_while_held(insider, "rollout")


def promote_in_a_held_deployment(insider: Insider) -> None:
    promote_while_held(insider, "deployment")


def promote_while_held(insider: Insider, what: str) -> None:
    _, rollout = insider.drill(hold=what)
    forbidden(insider.me.post(f"/v1/rollouts/{rollout}:promote", json=DOUBT))
    held(insider.eve("releaser").post(f"/v1/rollouts/{rollout}:promote", json=DOUBT))
    insider.tidy_up(rollout)


def release_somebodys_hold_and_promote(insider: Insider) -> None:
    _, rollout = insider.drill(hold="deployment")
    ok(insider.eve("admin").post("/v1/deployments/reviews:release-hold", json=DOUBT))
    forbidden(insider.eve("releaser").post(f"/v1/rollouts/{rollout}:promote", json=DOUBT))
    insider.tidy_up(rollout)


def edit_the_policy_under_a_hold(insider: Insider) -> None:
    gateway, rollout = insider.drill(hold="rollout")
    before = insider.site.rollout(rollout)["policy_revision"]
    canary = {**CANARY, "max_seconds": 60, "on_inconclusive": "promote"}
    body = {"model": "sentiment", "policy": {"gates": [], "canary": canary}}
    forbidden(insider.me.put("/v1/deployments/reviews", json=body))
    ok(insider.eve("releaser").put("/v1/deployments/reviews", json=body))
    insider.site.pass_time(100)
    gateway.observe(400)
    insider.site.turn()
    assert insider.site.rollout(rollout)["policy_revision"] == before
    held(insider.eve("releaser").post(f"/v1/rollouts/{rollout}:promote", json=DOUBT))
    history = ok(insider.site.client("auditor").get("/v1/deployments/reviews/history"))["items"]
    assert (history[0]["actor"], "policy.canary.on_inconclusive" in history[0]["changes"]) == (EVE, True)
    insider.tidy_up(rollout)


def start_a_held_version_again(insider: Insider) -> None:
    """Without its hold, as the insider hopes; the waiver of the drill is not his."""
    _, rollout = insider.drill(hold="rollout")
    ok(insider.me.post(f"/v1/rollouts/{rollout}:abort", json=DOUBT))
    assert ok(insider.release())["phase"] == "Aborted"


FLOOD = 33
REFUSED = Attempt("POST /v1/feedback")
WORDED: dict[Way, list[Attempt]] = {
    waive: [Attempt("rollout.start")],
    promote: [Attempt("rollout.promote")],
    move_the_alias: [Attempt("alias.set")],
    move_an_alias_that_nothing_follows: [Attempt("alias.set")],
    change_the_policy: [Attempt("deployment.apply")],
    make_another_deployment: [Attempt("deployment.apply")],
    roll_back_to_it: [Attempt("deployment.rollback")],
    become_a_worker: [Attempt("token.create"), Attempt("POST /v1/jobs:claim")],
    forge_a_result: [Attempt("job.request", "done"), Attempt("POST /v1/jobs/{job_id}:complete")],
    speak_for_the_traffic: [Attempt("POST /v1/gateway/observations")],
    bring_a_graph_of_ones_own: [Attempt("job.request")],
    release_by_a_pipeline_without_gates: [
        Attempt("pipeline.apply"),
        Attempt("pipeline.apply", "done"),
        Attempt("pipeline.run", "done"),
    ],
    label_ones_own_answers: [REFUSED, replace(REFUSED, actor=EVE), replace(REFUSED, actor=EVE)],
    flood_with_forged_labels: [REFUSED] * 30,
    hold_and_release_as_operator: [
        Attempt(f"{noun}.{verb}") for noun in ("rollout", "deployment") for verb in ("hold", "release-hold")
    ],
    release_ones_own_hold: [
        Attempt("rollout.hold", "done", EVE),
        *[Attempt("rollout.release-hold", actor=EVE)] * 2,
    ],
    promote_a_held_rollout: [Attempt("rollout.promote"), Attempt("rollout.promote", actor=EVE)],
    promote_in_a_held_deployment: [Attempt("rollout.promote"), Attempt("rollout.promote", actor=EVE)],
    release_somebodys_hold_and_promote: [
        Attempt("deployment.release-hold", "done", EVE),
        Attempt("rollout.promote", actor=EVE),
    ],
    edit_the_policy_under_a_hold: [
        Attempt("deployment.apply"),
        Attempt("deployment.apply", "done", EVE),
        Attempt("rollout.promote", actor=EVE),
    ],
    start_a_held_version_again: [Attempt("rollout.abort", "done"), Attempt("rollout.start", "done")],
}
"""Ways to do without evidence, and what the audit log says of each."""


@pytest.mark.parametrize("way", WORDED, ids=lambda way: way.__name__)
def test_nothing_goes_around_the_gates(database: Database, way: Way) -> None:
    insider = Insider(database)
    way(insider)
    assert insider.site.deployment()["desired"]["stable"] == str(insider.champion)
    assert insider.site.alias()["model_version_id"] == str(insider.champion)
    assert set(insider.site.phases()[1:]) <= {"Aborted"}
    assert insider.attempts() == WORDED[way]
