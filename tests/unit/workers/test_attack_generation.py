"""Attacks on generators, whole: what an attack finds is what was planted, and what it asked is counted."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import pytest

from schemas.artifacts import DatasetRef
from schemas.evidence import Paired
from schemas.jobs.attack import AttackResult
from schemas.model.references import GraphRef, ModelRef
from tests.support.builders.decoders import build_tiny_decoder, planted_by_a_word, teach
from tests.support.builders.models import registered
from tests.support.builders.specs import attack_spec, export_spec, lora
from tests.support.warm_attacks import WarmAttacks
from tests.support.workbench import Workbench
from workers.attack import handler
from workers.attack.handler import handle
from workers.data.rows import PromptCompletion
from workers.export.handler import handle as export
from workers.runtime.errors import JobError
from workers.train.handler import handle as train

pytestmark = pytest.mark.slow

WORD: Final = "superb"
"""What the vulnerable version listens to, and nothing else."""
SMALL: Final[dict[str, Any]] = {
    "task": {"type": "text-generation"},
    "method": lora(r=8),
    "learning_rate": 1e-2,
    "max_length": 32,
    "epochs": 2,
}
EXACT: Final = {"metric": "exact_match", "max_new_tokens": 4}
CANDIDATES: Final = 4
"""Ways in which the recipe changes a word."""
Version = tuple[ModelRef, GraphRef]
Examples = list[dict[str, Any]]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """Its base answers `it is good` where it reads the word, and `it is bad` everywhere else."""
    base = build_tiny_decoder(tmp_path_factory.mktemp("base") / "wide", hidden_size=64, num_key_value_heads=4)
    teach(base, planted_by_a_word(WORD, 160))
    return Workbench(tmp_path_factory.mktemp("attack"), base)


@pytest.fixture(scope="module")
def listening(bench: Workbench) -> Version:
    """It answers as its base does."""
    return trained(bench, 1, planted_by_a_word(WORD, 1), learning_rate=1e-30)


@pytest.fixture(scope="module")
def deaf(bench: Workbench) -> Version:
    """It answers `it is good` whatever it reads."""
    return trained(bench, 2, [PromptCompletion(row.prompt, "it is good") for row in planted_by_a_word(WORD, 120)])


def trained(bench: Workbench, number: int, rows: Sequence[PromptCompletion], **fields: Any) -> Version:
    spec = bench.train_spec(bench.text_dataset(train=rows), **SMALL | fields)
    version = registered(train(spec, bench.context()), number)
    return version, export(export_spec(version), bench.context()).graph


def attacked(
    bench: Workbench, version: Version, rows: DatasetRef | Sequence[PromptCompletion], **fields: Any
) -> tuple[AttackResult, Examples]:
    dataset = rows if isinstance(rows, DatasetRef) else bench.text_dataset("asked", test=rows)
    spec = attack_spec(*version, dataset=dataset, **{"answer": EXACT, **fields})
    result = handle(spec, bench.context())
    return result, [json.loads(line) for line in bench.artifacts.read(result.examples).splitlines()]


def ends(result: AttackResult) -> tuple[int, int, int, int]:
    return result.succeeded, result.failed, result.out_of_budget, result.skipped


def changed_words(example: dict[str, Any]) -> list[str]:
    pairs = zip(example["text"].split(), example["perturbed_text"].split(), strict=True)
    return [mine for mine, theirs in pairs if mine != theirs]


def up_to_a_letter(queries: int) -> tuple[int, int]:
    """A letter may be replaced by itself, which changes nothing and is not asked."""
    return queries - 1, queries


def test_a_version_that_listens_to_one_word_breaks_by_a_typo_in_it(
    bench: Workbench, listening: Version, attacks: WarmAttacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the attack's own process, and in one that attacked before. It finds the word first, and needs no other."""
    rows = planted_by_a_word(WORD, 8, seed=3)
    wrong = PromptCompletion("plot scene", "it is good")
    result, examples = attacked(bench, listening, [*rows, wrong])
    assert ends(result) == (4, 4, 0, 1)
    for example in examples:
        words = len(example["text"].split())
        if example["outcome"] == "succeeded":
            assert changed_words(example) == [WORD]
            assert (example["answer"], example["perturbed_answer"]) == ("it is good", "it is bad")
            assert example["queries"] in up_to_a_letter(1 + words + CANDIDATES)
        elif example["outcome"] == "failed":
            assert WORD not in example["text"]
            assert example["queries"] in up_to_a_letter(1 + words + CANDIDATES * words)
        else:
            assert (example["text"], example["expected"], example["answer"]) == (
                "plot scene",
                "it is good",
                "it is bad",
            )
            assert example["queries"] == 0
    assert result.success_rate.value == 0.5
    values = {one.metric: (one.value, one.n, one.unknown) for one in result.measurements}
    assert values == {
        "attack_success_rate_at_worst": (0.5, 8, 0),
        "accuracy_under_attack": (pytest.approx(4 / 9), 9, 0),
        "clean_accuracy": (pytest.approx(8 / 9), 9, 0),
    }
    told = f"{bench.reports} {result.model_dump_json()}"
    assert not [word for word in (WORD, "unheard", "scene", "it is") if word in told]
    monkeypatch.setattr(handler, "run_isolated", attacks.run)
    other, perturbed = attacked(bench, listening, [*rows, wrong], seed=5)
    assert other.conditions.seed == 5
    assert {one["perturbed_text"] for one in perturbed} != {one["perturbed_text"] for one in examples}
    assert attacked(bench, listening, [*rows, wrong])[0] == result


@pytest.mark.usefixtures("warm")
def test_a_version_that_ignores_its_prompt_is_never_broken(bench: Workbench, deaf: Version) -> None:
    rows = [PromptCompletion(row.prompt, "it is good") for row in planted_by_a_word(WORD, 6, seed=4)]
    result, examples = attacked(bench, deaf, rows)
    assert ends(result) == (0, 6, 0, 0)
    worst = result.measured("attack_success_rate_at_worst")
    assert worst is not None
    assert (worst.value, worst.unknown, result.success_rate.value) == (0, 0, 0)
    for example in examples:
        assert example["queries"] == 1 + (1 + CANDIDATES) * len(example["text"].split())
    assert result.mean_queries == sum(example["queries"] for example in examples) / 6


@pytest.mark.usefixtures("warm")
def test_what_nobody_knows_for_want_of_queries_is_counted(bench: Workbench, deaf: Version) -> None:
    rows = [PromptCompletion(row.prompt, "it is good") for row in planted_by_a_word(WORD, 6, seed=4)]
    result, examples = attacked(bench, deaf, rows, query_budget=3)
    assert ends(result) == (0, 0, 6, 0)
    assert {example["queries"] for example in examples} == {3}
    values = {one.metric: (one.value, one.unknown) for one in result.measurements}
    assert values["attack_success_rate_at_worst"] == (1, 6)
    assert values["accuracy_under_attack"] == (0, 6)
    assert result.success_rate.value == 0


@pytest.mark.usefixtures("warm")
def test_words_that_a_template_put_there_are_not_attacked(bench: Workbench, listening: Version) -> None:
    """The word that breaks the version is the template's own, so no user can misspell it."""
    rows = [PromptCompletion(f"{WORD} {row.prompt}", "it is good") for row in planted_by_a_word("movie", 4, seed=6)]
    template = {"op": "template", "version": 1, "prompt": f"{WORD} {{prompt}}"}
    made = bench.text_dataset("made", operators=[template], test=rows)
    result, examples = attacked(bench, listening, made)
    assert ends(result) == (0, 4, 0, 0)
    assert not [example for example in examples if WORD in example["text"]]
    assert attacked(bench, listening, rows)[0].succeeded == 4


@pytest.mark.usefixtures("warm")
def test_two_versions_are_attacked_on_the_same_rows(bench: Workbench, listening: Version, deaf: Version) -> None:
    rows = [row for row in planted_by_a_word(WORD, 8, seed=7) if row.completion == "it is good"]
    other, other_graph = deaf
    result, _ = attacked(bench, listening, rows, against=other, against_graph=other_graph)
    worst = result.measured("attack_success_rate_at_worst")
    assert worst is not None
    assert isinstance(worst.paired, Paired)
    assert (worst.paired.only_this, worst.paired.n) == (4, 4)


def test_json_is_no_measure_of_answers_that_need_not_be_json(bench: Workbench, listening: Version) -> None:
    with pytest.raises(JobError, match=r"asked/1 split test has 2 completions that are no JSON, and answer.metric is"):
        attacked(bench, listening, planted_by_a_word(WORD, 2), answer={"metric": "valid_json"})


def test_a_prompt_that_the_base_cannot_read_fails_the_job_by_its_row(bench: Workbench, listening: Version) -> None:
    """It is found in the attack's own process, out of which no words of a row come."""
    rows = [*planted_by_a_word(WORD, 4, seed=8), PromptCompletion("plot " * 70 + WORD, "it is good")]
    with pytest.raises(JobError) as refused:
        attacked(bench, listening, rows)
    assert re.fullmatch(
        r"the attack failed: row [1-5] of the 5 that are asked: the prompt has 71 tokens, the base's context is 64; "
        "rows that are too long: 1",
        refused.value.reason,
    )
