"""The attack, whole: TextAttack in its own process, without a network, against a tiny served graph."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.jobs import AttackSpec, Progress
from workers.attack.handler import handle

pytestmark = pytest.mark.slow

ROWS = [
    ("a wonderful movie", "positive"),
    ("superb acting and great music", "positive"),
    ("dreadful plot", "negative"),
    ("terrible scene, boring music", "negative"),
    ("a good movie", "negative"),
]


def test_the_same_seed_gives_the_same_attack(
    bench: Any, serve: Callable[..., Any], save_dataset: Callable[..., Any]
) -> None:
    served = serve(bench.store, bench.root)
    dataset = save_dataset(bench.store, {"test": ROWS})
    spec = AttackSpec(model_version=served.model, graph=served.graph, dataset=dataset, rows=5, query_budget=60, seed=3)
    result = handle(spec, bench.context)
    examples = [json.loads(line) for line in bench.store.read(result.examples).splitlines()]
    assert sorted(example["outcome"] for example in examples).count("skipped") == 1
    assert result.clean_accuracy.value == 0.8
    # A typo makes a known word unknown to a bag of words, so most attacks succeed.
    assert result.success_rate.n == 4
    assert result.success_rate.value >= 0.5
    succeeded = [example for example in examples if example["outcome"] == "succeeded"]
    assert all(example["perturbed_text"] != example["text"] for example in succeeded)
    assert all(example["perturbed_answer"] != example["label"] for example in succeeded)
    assert result.accuracy_under_attack.value == pytest.approx((4 - len(succeeded)) / 5)
    assert 0 < result.mean_queries <= 60
    steps = [report for report in bench.reports if isinstance(report, Progress)]
    assert [step.step for step in steps] == [0, 1, 2, 3, 4, 5]
    assert handle(spec, bench.context) == result
