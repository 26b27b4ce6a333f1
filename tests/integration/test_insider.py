"""An insider with role operator tries to get a bad version served without a waiver; each way ends where it began."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from controlplane.domain.canonical import digest
from controlplane.store.database import Database
from schemas.jobs import AttackResult, EvaluateResult, Interval
from tests.support.releases import DATASET, Gateway, Learnt, Site, attack, evaluation, ok, paired
from tests.support.scripted_worker import Worker

ROWS: dict[str, Any] = {"dataset": "reviews", "min_rows": 1000}
GATES: list[dict[str, Any]] = [
    {"gate": "parity"},
    {"gate": "accuracy", **ROWS, "minimum": 0.7, "not_below_champion_by": 0.02},
    {"gate": "attack", **ROWS, "recipe": "deepwordbug", "queries_per_word": 10, "maximum": 0.6},
]
NOTHING_LEFT = Interval(value=0, low=0, high=1, n=0)
EASIER = UUID(int=77)


class Insider:
    """Holds an operator's token. Workers and gateways are honest: they measure what they are asked to."""

    def __init__(self, database: Database) -> None:
        self.site = Site(database)
        self.site.deploy(gates=GATES)
        self.champion = self.site.version(Learnt(accuracy=0.9, attack_success=0.2))
        self.site.release(self.champion)
        self.site.turn()
        self.bad = self.site.version(Learnt(accuracy=0.5, attack_success=0.95, against=self.champion, difference=-0.4))
        self.me = self.site.client("operator")

    def measure(self, result: EvaluateResult | AttackResult, **spec: Any) -> None:
        """Ask for a job that shows the bad version in a better light; its worker answers."""
        asked = {"model_version": str(self.bad), "dataset": "reviews/1", "against": str(self.champion), **spec}
        ok(self.me.post("/v1/jobs", json={"kind": result.kind, "spec": asked}))
        worker = Worker(self.site)
        worker.complete(worker.claim(result.kind), **result.model_dump(mode="json", exclude={"kind"}))

    def release(self, **body: Any) -> Any:
        wish = {"deployment": "reviews", "model_version": str(self.bad), "reason": "trust me", **body}
        return self.me.post("/v1/rollouts", json=wish)


Way = Callable[[Insider], Any]


def attack_weakly(insider: Insider) -> None:
    insider.measure(broken(insider, query_budget=5, mean_queries=5), rows=1100, query_budget=5)


def attack_with_few_queries(insider: Insider) -> None:
    insider.measure(broken(insider, queries_per_word=1), rows=1100, queries_per_word=1)


def attack_other_rows_of_the_split(insider: Insider) -> None:
    insider.measure(broken(insider, seed=7), rows=1100, seed=7)


def attack_where_nothing_is_right(insider: Insider) -> None:
    wrong = Interval(value=0, low=0, high=0.1, n=40)
    counts = dict.fromkeys(("both", "only_this", "only_other", "neither"), 0)
    beside = paired(insider.champion, 0).model_copy(update={**counts, "low": -1.0, "high": 1.0})
    nothing = {"success_rate": NOTHING_LEFT, "worst_success_rate": NOTHING_LEFT, "succeeded": 0, "failed": 0}
    answers = {"skipped": 40, "clean_accuracy": wrong, "accuracy_under_attack": wrong, "paired": beside}
    insider.measure(broken(insider, **nothing, **answers), rows=40)


def attack_until_it_looks_well(insider: Insider) -> None:
    insider.measure(broken(insider), rows=1100)


def evaluate_an_easier_dataset(insider: Insider) -> None:
    insider.site.dataset("easy", 1, EASIER, "easier rows")
    insider.measure(right(insider, dataset=EASIER, rows="easier rows"), dataset="easy/1")


def evaluate_an_easier_version_of_the_same_name(insider: Insider) -> None:
    insider.site.dataset("reviews", 2, EASIER, "easier rows")
    insider.measure(right(insider, dataset=EASIER, rows="easier rows"), dataset="reviews@latest")


def evaluate_another_split(insider: Insider) -> None:
    found = right(insider, split="validation", rows="validation test rows")
    insider.measure(found, split="validation")


def evaluate_the_rows_it_learnt(insider: Insider) -> None:
    insider.measure(right(insider, split="train", rows=str(DATASET)), split="train")


def evaluate_beside_something_worse(insider: Insider) -> None:
    worse = insider.site.version()
    insider.measure(right(insider, against=worse), against=str(worse))


def evaluate_until_it_looks_well(insider: Insider) -> None:
    insider.measure(right(insider))


def right(insider: Insider, *, rows: str = "test rows", against: UUID | None = None, **where: Any) -> EvaluateResult:
    """Nearly every row, and better than the other version."""
    beside = paired(against or insider.champion, 0.05)
    found = evaluation(insider.bad, 0.99 - 0.02, beside=beside, **where)
    return found.model_copy(update={"rows_digest": digest(rows)})


def broken(insider: Insider, **said: Any) -> AttackResult:
    """Hardly any row."""
    return attack(
        insider.bad, 0.1, **{"paired": paired(insider.champion, 0).model_copy(update={"neither": 400})} | said
    )


MEASURED: list[Way] = [
    attack_weakly,
    attack_with_few_queries,
    attack_other_rows_of_the_split,
    attack_where_nothing_is_right,
    attack_until_it_looks_well,
    evaluate_an_easier_dataset,
    evaluate_an_easier_version_of_the_same_name,
    evaluate_another_split,
    evaluate_the_rows_it_learnt,
    evaluate_beside_something_worse,
    evaluate_until_it_looks_well,
]
"""Ways to make evidence."""


@pytest.mark.parametrize("way", MEASURED, ids=lambda way: way.__name__)
def test_better_evidence_is_not_to_be_had(database: Database, way: Way) -> None:
    insider = Insider(database)
    way(insider)
    rollout = ok(insider.release())
    assert rollout["phase"] == "Aborted"
    assert {gate["gate"]: gate["status"] for gate in rollout["gates"]} == {
        "graph": "Passed",
        "labels": "Passed",
        "parity": "Passed",
        "accuracy": "Failed",
        "accuracy against champion": "Failed",
        "attack": "Failed",
    }
    assert insider.site.deployment()["desired"]["stable"] == str(insider.champion)


def forbidden(answer: Any) -> None:
    assert answer.status_code == 403, answer.text


def waive(insider: Insider) -> None:
    forbidden(insider.release(waive_gates="nobody will see"))


def promote(insider: Insider) -> None:
    rollout = insider.site.release(insider.bad, "releaser", waive_gates="somebody else's drill")
    forbidden(insider.me.post(f"/v1/rollouts/{rollout['id']}:promote", json={"reason": "it looks well"}))
    ok(insider.me.post(f"/v1/rollouts/{rollout['id']}:abort", json={"reason": "tidy up"}))


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
    spec = {"model_version": str(insider.bad), "dataset": "reviews/1", "against": str(insider.champion)}
    job = ok(insider.me.post("/v1/jobs", json={"kind": "evaluate", "spec": spec}))
    body = {"attempt": 1, "owner": "me", "result": right(insider).model_dump(mode="json")}
    forbidden(insider.me.post(f"/v1/jobs/{job['id']}:complete", json=body))


def speak_for_the_traffic(insider: Insider) -> None:
    boot = Gateway(insider.site).boot
    body = {"boot": str(boot), "second": 1, "generations": []}
    forbidden(insider.me.post("/v1/gateway/observations", json=body))


def bring_a_graph_of_ones_own(insider: Insider) -> None:
    good = right(insider).graph.model_dump(mode="json")
    spec = {"model_version": str(insider.bad), "dataset": "reviews/1", "graph": good}
    assert insider.me.post("/v1/jobs", json={"kind": "evaluate", "spec": spec}).status_code == 422


def release_by_a_pipeline_without_gates(insider: Insider) -> None:
    stage = {"kind": "release", "deployment": "reviews", "model_version": str(insider.bad)}
    for more in ({"waive_gates": "quietly"}, {}):
        answer = insider.me.put("/v1/pipelines/mine", json={"name": "mine", "stages": {"release": stage | more}})
        assert answer.status_code == (422 if more else 200), answer.text
    ok(insider.me.post("/v1/pipelines/mine:run", json={"params": {}}))
    insider.site.turn()


WORDED: list[Way] = [
    waive,
    promote,
    move_the_alias,
    move_an_alias_that_nothing_follows,
    change_the_policy,
    make_another_deployment,
    roll_back_to_it,
    become_a_worker,
    forge_a_result,
    speak_for_the_traffic,
    bring_a_graph_of_ones_own,
    release_by_a_pipeline_without_gates,
]
"""Ways to do without evidence."""


@pytest.mark.parametrize("way", WORDED, ids=lambda way: way.__name__)
def test_nothing_goes_around_the_gates(database: Database, way: Way) -> None:
    insider = Insider(database)
    way(insider)
    assert insider.site.deployment()["desired"]["stable"] == str(insider.champion)
    assert insider.site.alias()["model_version_id"] == str(insider.champion)
    assert set(insider.site.phases()[1:]) <= {"Aborted"}
