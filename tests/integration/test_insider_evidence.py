"""An insider makes evidence that shows a bad version in a better light: its gates fail all the same."""

from uuid import UUID

import pytest

from controlplane.store.database import Database
from tests.support.answers import ok
from tests.support.builders.datasets import DATASET
from tests.support.builders.results import NO_ROWS, beside, interval
from tests.support.insider import Attempt, Insider, Way, broken, right

EASIER = UUID(int=77)


def attack_weakly(insider: Insider) -> None:
    insider.measure(broken(insider, query_budget=5, mean_queries=5), rows=1100, query_budget=5)


def attack_with_few_queries(insider: Insider) -> None:
    insider.measure(broken(insider, queries_per_word=1), rows=1100, queries_per_word=1)


def attack_other_rows_of_the_split(insider: Insider) -> None:
    insider.measure(broken(insider, seed=7), rows=1100, seed=7)


def attack_where_nothing_is_right(insider: Insider) -> None:
    wrong = interval(0, 0.1, n=40)
    counts = dict.fromkeys(("both", "only_this", "only_other", "neither"), 0)
    other = beside(insider.champion, 0, **counts, low=-1.0, high=1.0)
    answers = {"succeeded": 0, "failed": 0, "skipped": 40, "clean_accuracy": wrong, "accuracy_under_attack": wrong}
    insider.measure(broken(insider, NO_ROWS, other, **answers), rows=40)


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
        "attack_success_rate_at_worst": "Failed",
    }
    assert insider.site.deployment()["desired"]["stable"] == str(insider.champion)
    assert insider.attempts() == [Attempt("job.request", "done"), Attempt("rollout.start", "done")]
