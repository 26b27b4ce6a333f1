"""Histories of deployments, pipelines and triggers: complete, in order, and with who, when, why and what."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from controlplane.store.database import Database
from tests.support.answers import ok
from tests.support.builders.specs import CURATE
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import CANARY, InProcess

NOUNS = ("deployment", "pipeline", "trigger")
WHY = "the 24th review"


def spec_of(noun: str, number: int) -> dict[str, Any]:
    """One that differs in one field from that of another number."""
    if noun == "deployment":
        return {"model": "sentiment", "policy": {"canary": {**CANARY, "step_seconds": number}}}
    if noun == "pipeline":
        return {"name": "rows", "stages": {"curate": {"kind": "curate", "spec": {**CURATE, "seed": number}}}}
    return {"name": "rows", "pipeline": "rows", "types": ["com.example.rows"], "sources": ["//example.com"],
            "cooldown_seconds": number}  # fmt: skip


FIELD = {
    "deployment": "policy.canary.step_seconds",
    "pipeline": "stages.curate.spec.seed",
    "trigger": "cooldown_seconds",
}


class Keeper:
    """Applies one noun as several people."""

    def __init__(self, database: Database, noun: str) -> None:
        self.site, self.noun = InProcess(database), noun
        self.url = f"/v1/{noun}s/rows"
        if noun == "trigger":
            ok(self.site.client("operator").put("/v1/pipelines/rows", json=spec_of("pipeline", 1)))

    def apply(self, number: int, person: str = "ann", reason: str | None = None) -> dict[str, Any]:
        params = {"reason": reason} if reason else {}
        client = self.site.person(person, "releaser")
        return dict(ok(client.put(self.url, json=spec_of(self.noun, number), params=params)))

    def history(self, **params: Any) -> Any:
        return ok(self.site.client("viewer").get(f"{self.url}/history", params=params))


@pytest.fixture(params=NOUNS)
def keeper(request: pytest.FixtureRequest, database: Database) -> Keeper:
    return Keeper(database, request.param)


def test_each_change_is_a_revision_with_who_when_why_and_what(keeper: Keeper) -> None:
    assert keeper.apply(1)["revision"] == 1
    assert keeper.apply(2, "bob", WHY)["revision"] == 2
    newest, first = keeper.history()["items"]
    assert [newest["revision"], newest["actor"], newest["reason"]] == [2, "bob", WHY]
    assert newest["changes"] == {FIELD[keeper.noun]: {"before": 1, "after": 2}}
    assert [first["revision"], first["actor"], first["reason"]] == [1, "ann", None]
    assert first["changes"][FIELD[keeper.noun]] == {"before": None, "after": 1}
    assert first["at"] < newest["at"]
    again = ok(keeper.site.client("admin").put(keeper.url, json=newest["spec"]))
    assert again["revision"] == 2


def test_the_same_again_is_no_revision_and_changes_nothing(keeper: Keeper) -> None:
    before = keeper.apply(1)
    assert keeper.apply(1, "bob", WHY) == before
    assert [one["actor"] for one in keeper.history()["items"]] == ["ann"]


def test_a_change_that_is_refused_is_no_revision(keeper: Keeper) -> None:
    keeper.apply(1)
    wrong = {"deployment": {"model": "another"}, "pipeline": {"name": "rows", "stages": {}}}
    refused = keeper.site.client("admin").put(keeper.url, json=wrong.get(keeper.noun, {"name": "rows"}))
    assert 400 <= refused.status_code < 500
    assert len(keeper.history()["items"]) == 1


def test_a_long_history_is_read_page_by_page(keeper: Keeper) -> None:
    for number in range(1, 6):
        keeper.apply(number)
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = keeper.history(limit=2, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next"]
    assert [one["revision"] for one in seen] == [5, 4, 3, 2, 1]
    assert [one["changes"][FIELD[keeper.noun]] for one in seen[:-1]] == [
        {"before": number, "after": number + 1} for number in (4, 3, 2, 1)
    ]


def test_what_never_was_has_no_history(keeper: Keeper) -> None:
    answer = keeper.site.client("viewer").get(f"{keeper.url}/history")
    assert answer.status_code == 404


def test_people_who_apply_at_once_leave_every_revision_once(keeper: Keeper) -> None:
    keeper.apply(0)
    with ThreadPoolExecutor(4) as pool:
        told = [one["revision"] for one in pool.map(keeper.apply, range(1, 13))]
    history = keeper.history()["items"]
    assert [one["revision"] for one in history] == list(range(13, 0, -1))
    assert sorted(told) == list(range(2, 14))
    assert ok(keeper.site.client("viewer").get(keeper.url))["revision"] == 13


def test_a_deleted_trigger_keeps_its_history_and_counts_on(database: Database) -> None:
    keeper = Keeper(database, "trigger")
    keeper.apply(1)
    ok_ = keeper.site.client("operator").delete(keeper.url, params={"reason": WHY})
    assert ok_.status_code == 204
    assert keeper.site.client("viewer").get(keeper.url).status_code == 404
    assert keeper.apply(3)["revision"] == 3
    third, gone, _ = keeper.history()["items"]
    assert (gone["spec"], gone["actor"], gone["reason"]) == (None, "operator", WHY)
    assert gone["changes"]["cooldown_seconds"] == {"before": 1, "after": None}
    assert third["changes"]["cooldown_seconds"] == {"before": None, "after": 3}


def test_the_reason_and_the_revision_are_in_the_audit_log_too(keeper: Keeper) -> None:
    keeper.apply(1)
    keeper.apply(2, "bob", WHY)
    subject = {"subject": f"{keeper.noun}/rows", "actor": "bob"}
    (entry,) = ok(keeper.site.client("auditor").get("/v1/audit", params=subject))["items"]
    assert entry["reason"] == WHY
    assert entry["changes"]["revision"] == {"before": 1, "after": 2}


def test_a_rollout_says_by_which_revision_of_the_policy_it_goes(database: Database) -> None:
    site = InProcess(database)
    revision = site.deploy()["revision"]
    site.first_champion()
    gateway = Gateway(site)
    first = site.canary(gateway)
    queued = site.release(site.version())
    assert (first["policy_revision"], queued["policy_revision"]) == (revision, revision)
    later = site.deploy(canary={**CANARY, "step_seconds": 7})["revision"]
    assert site.rollout(first["id"])["policy_revision"] == revision
    ok(site.client("operator").post(f"/v1/rollouts/{first['id']}:abort", json={"reason": "the next one"}))
    begun = site.rollout(queued["id"])
    assert (later, begun["policy_revision"], begun["policy"]["canary"]["step_seconds"]) == (revision + 1, later, 7)
