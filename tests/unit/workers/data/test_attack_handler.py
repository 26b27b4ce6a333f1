"""The attack, whole: TextAttack in its own process, without a network, against a tiny served graph."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.claims import Progress
from schemas.jobs import AttackRecipe, AttackSpec
from workers.attack.environment import prepare
from workers.attack.handler import handle
from workers.runtime.errors import JobError

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


def test_every_recipe_of_the_contract_has_its_composition() -> None:
    """In a process of its own: importing TextAttack changes the environment."""
    code = (
        "from workers.attack.environment import install_stubs; install_stubs();"
        "from workers.attack.recipes import RECIPES; print(*RECIPES)"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=prepare(Path(folder)),
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    assert set(done.stdout.split()) == set(get_args(AttackRecipe))


def test_an_attack_that_fails_says_where_and_quotes_no_row(
    bench: Any, serve: Callable[..., Any], save_dataset: Callable[..., Any]
) -> None:
    served = serve(bench.store, bench.root)
    broken = served.graph.model_copy(update={"base_graph": served.graph.tokenizer})
    dataset = save_dataset(bench.store, {"test": ROWS})
    spec = AttackSpec(model_version=served.model, graph=broken, dataset=dataset)
    with pytest.raises(JobError, match=r"the attack failed: \w+ at \w+\.py:\d+") as caught:
        handle(spec, bench.context)
    assert "wonderful" not in str(caught.value)
