"""The attack, whole: TextAttack in its own process, without a network, against a tiny served graph."""

import json
from typing import Any, get_args
from uuid import UUID

import pytest

from schemas.claims import Progress
from schemas.evidence import Interval, Paired
from schemas.jobs.attack import AttackConditions, AttackRecipe, AttackResult
from tests.support.builders.models import identified_as
from tests.support.builders.specs import attack_spec
from tests.support.warm_attacks import WarmAttacks
from tests.support.workbench import Workbench
from workers.attack import handler
from workers.attack.handler import handle
from workers.runtime.errors import JobError

pytestmark = pytest.mark.slow

INTERVAL = set(Interval.model_fields)
ROWS = [
    ("a wonderful movie", "positive"),
    ("superb acting and great music", "positive"),
    ("dreadful plot", "negative"),
    ("terrible scene, boring music", "negative"),
    ("a good movie", "negative"),
]


def test_the_same_seed_gives_the_same_attack(
    bench: Workbench,
    attacks: WarmAttacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a process of its own, and in one that has attacked other rows before."""
    served = bench.served()
    dataset = bench.dataset(test=ROWS)
    spec = attack_spec(served.model, served.graph, dataset=dataset, rows=5, seed=3)
    result = handle(spec, bench.context())
    examples = [json.loads(line) for line in bench.artifacts.read(result.examples).splitlines()]
    assert sorted(example["outcome"] for example in examples).count("skipped") == 1
    found = {one.metric: one for one in result.measurements}
    assert found["clean_accuracy"].value == 0.8
    # A typo makes a known word unknown to a bag of words, so most attacks succeed.
    assert result.success_rate.n == 4
    assert result.success_rate.value >= 0.5
    succeeded = [example for example in examples if example["outcome"] == "succeeded"]
    assert all(example["perturbed_text"] != example["text"] for example in succeeded)
    assert all(example["perturbed_answer"] != example["expected"] for example in succeeded)
    assert found["accuracy_under_attack"].value == pytest.approx((4 - len(succeeded)) / 5)
    assert (result.succeeded, result.failed, result.out_of_budget, result.skipped) == (
        *(sum(example["outcome"] == outcome for example in examples) for outcome in ("succeeded", "failed")), 0, 1,
    )  # fmt: skip
    assert found["attack_success_rate_at_worst"].model_dump(include=INTERVAL) == result.success_rate.model_dump()
    assert result.conditions == AttackConditions.of(spec)
    for example in examples:
        assert example["queries"] <= 10 * len(example["text"].split())
    steps = [report for report in bench.reports if isinstance(report, Progress) and report.total]
    assert [step.step for step in steps] == [0, 1, 2, 3, 4, 5]
    monkeypatch.setattr(handler, "run_isolated", attacks.run)
    handle(spec.model_copy(update={"seed": 4}), bench.context())
    assert handle(spec, bench.context()) == result


LONG = [(" ".join(["good", *["plot"] * 20, "acting"]), "positive"), (" ".join(["bad", *["music"] * 24]), "negative")]


def attacked(bench: Workbench, served: Any, dataset: Any, **fields: Any) -> tuple[AttackResult, list[dict[str, Any]]]:
    graph = fields.pop("graph", served.graph)
    result = handle(attack_spec(served.model, graph, dataset=dataset, **fields), bench.context())
    return result, [json.loads(line) for line in bench.artifacts.read(result.examples).splitlines()]


@pytest.mark.usefixtures("warm")
def test_a_row_that_runs_out_of_budget_is_neither_broken_nor_safe(bench: Workbench) -> None:
    served, dataset = bench.served(), bench.dataset(test=LONG)
    starved, examples = attacked(bench, served, dataset, query_budget=5)
    assert [example["queries"] for example in examples] == [5, 5]
    assert (starved.out_of_budget, starved.failed, starved.succeeded) == (2, 0, 0)
    assert starved.success_rate.value == 0
    found = {one.metric: one for one in starved.measurements}
    assert found["attack_success_rate_at_worst"].value == 1
    assert found["accuracy_under_attack"].value == 0
    assert {name: one.unknown for name, one in found.items()} == {
        "attack_success_rate_at_worst": 2,
        "accuracy_under_attack": 2,
        "clean_accuracy": 0,
    }
    fed, _ = attacked(bench, served, dataset)
    assert (fed.succeeded, fed.failed, fed.out_of_budget) == (1, 1, 0)


@pytest.mark.usefixtures("warm")
def test_queries_grow_with_the_words_that_the_model_reads(bench: Workbench) -> None:
    served, dataset = bench.served(), bench.dataset(test=LONG)
    _, examples = attacked(bench, served, dataset, queries_per_word=1)
    words = {example["text"]: len(example["text"].split()) for example in examples}
    assert {example["text"]: example["queries"] for example in examples} == words
    assert all(example["outcome"] == "out of budget" for example in examples)
    short = identified_as(served.graph, max_length=8)
    _, examples = attacked(bench, served, dataset, queries_per_word=1, graph=short)
    assert {example["queries"] for example in examples} == {8}


@pytest.mark.usefixtures("warm")
def test_words_that_the_model_never_reads_are_not_attacked(bench: Workbench) -> None:
    """Two hundred more words cost nothing, and stay as they are."""
    served = bench.served()
    head, tail = "plot plot music good", " ".join(["wonderful"] * 200)
    long, short = (bench.dataset(test=[(text, "positive")]) for text in (f"{head} {tail}", head))
    cut = identified_as(served.graph, max_length=4)
    result, [found] = attacked(bench, served, long, graph=cut)
    _, [alone] = attacked(bench, served, short, graph=cut)
    assert result.succeeded == 1
    assert found["perturbed_text"].endswith(f" {tail}")
    assert found["queries"] == alone["queries"] < 40
    assert found["perturbed_text"].split()[:4] == alone["perturbed_text"].split()


@pytest.mark.usefixtures("warm")
def test_the_same_rows_are_drawn_however_they_lie(bench: Workbench) -> None:
    served = bench.served()
    digests = {
        attacked(bench, served, bench.dataset(test=rows), rows=2, seed=seed)[0].rows_digest
        for rows, seed in ((ROWS, 0), (ROWS[::-1], 0), (ROWS, 1))
    }
    assert len(digests) == 2  # another seed draws others


@pytest.mark.usefixtures("warm")
def test_attacked_rows_that_the_version_was_trained_on_are_counted(bench: Workbench) -> None:
    served, dataset = bench.served(), bench.dataset(test=ROWS)
    cheat = bench.dataset(train=ROWS)
    assert attacked(bench, served, dataset, rows=2)[0].rows_trained_on == 0
    assert attacked(bench, served, dataset, rows=2, trained_on=(cheat,))[0].rows_trained_on == 2


def beside(result: AttackResult) -> Paired | None:
    worst = result.measured("attack_success_rate_at_worst")
    assert worst is not None
    return worst.paired


@pytest.mark.usefixtures("warm")
def test_two_versions_are_attacked_on_the_same_rows(bench: Workbench) -> None:
    served, dataset = bench.served(), bench.dataset(test=ROWS)
    other = served.model.model_copy(update={"id": UUID(int=9)})
    result, _ = attacked(bench, served, dataset, against=other, against_graph=served.graph)
    paired = beside(result)
    assert paired is not None
    assert result.conditions.against == other.id
    assert (paired.both, paired.neither) == (result.succeeded, result.failed)
    assert (paired.only_this, paired.only_other, paired.difference) == (0, 0, 0)
    # a label that the other version does not know: nothing there was right before the attack
    unknown = identified_as(served.graph, task={"labels": ("negative", "joyful")})
    found = beside(attacked(bench, served, dataset, against=other, against_graph=unknown)[0])
    assert found is not None
    assert 0 < found.n < paired.n


def test_every_recipe_of_the_contract_has_its_composition(attacks: WarmAttacks) -> None:
    assert set(attacks.recipes) == set(get_args(AttackRecipe))


def test_an_attack_that_fails_says_why_and_quotes_no_row(bench: Workbench) -> None:
    served = bench.served()
    broken = served.graph.model_copy(update={"base_graph": served.graph.tokenizer})
    dataset = bench.dataset(test=ROWS)
    spec = attack_spec(served.model, broken, dataset=dataset)
    with pytest.raises(JobError, match=r"the attack failed: graph [0-9a-f]{64} is no ONNX file") as caught:
        handle(spec, bench.context())
    assert "wonderful" not in str(caught.value)
