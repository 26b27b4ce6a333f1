"""A decoder learns completions and nothing of prompts, survives interruption unchanged, and says what was cut."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy

from schemas.claims import Checkpoint
from schemas.jobs.train import TrainResult
from schemas.model.tasks import TextGeneration
from tests.support.builders.decoders import END, VOCABULARY, planted_completions, planted_conversations
from tests.support.builders.specs import FULL, HEAD, lora, prompt, train_spec
from tests.support.workbench import Workbench
from workers.adapters.files import read_adapter
from workers.base.loading import load_causal_lm
from workers.data.rows import Messages, PromptCompletion
from workers.runtime.context import Report
from workers.runtime.errors import JobError
from workers.tasks.text_generation.examples import Example, Format, answer_of
from workers.tasks.text_generation.likelihood import negative_log_likelihoods
from workers.tasks.text_generation.reference import ReferenceDecoder
from workers.train.handler import handle

WRITE = {"type": "text-generation"}
SMALL = {"task": WRITE, "method": lora(r=8), "batch_size": 16, "learning_rate": 1e-2, "max_length": 32}
ALL_LINEAR = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
Rows = Sequence[PromptCompletion | Messages]


@pytest.fixture
def bench(tmp_path: Path, tiny_decoder: Path) -> Workbench:
    return Workbench(tmp_path, tiny_decoder)


@pytest.fixture(scope="session")
def formatted(tiny_decoder: Path) -> Format:
    return Format(tiny_decoder)


def answered(bench: Workbench, result: TrainResult | None, rows: Rows) -> float:
    """The share of the rows whose greedy answer is the row's own; None: of the base."""
    base = load_causal_lm(bench.base)  # type: ignore[arg-type]
    asked = Format(base.tokenizer_file.parent)
    if result is None:
        barely = bench.train_spec(bench.text_dataset("one", train=rows[:1]), **SMALL | {"learning_rate": 1e-30})
        result = handle(barely, bench.context())
    decoder = ReferenceDecoder(base, read_adapter(bench.artifacts.fetch(result.adapter)), "v")
    assert isinstance(result.identity.task, TextGeneration)
    found = decoder.generate([asked.question(row) for row in rows], "v", 8, result.identity.task.stop_token_ids)
    said = [asked.tokenizer.decode(ids) for ids in found]
    return sum(text == answer_of(row) for text, row in zip(said, rows, strict=True)) / len(rows)


@pytest.mark.parametrize("rows", [planted_completions, planted_conversations], ids=["completions", "messages"])
def test_it_learns_what_was_planted(bench: Workbench, rows: Any) -> None:
    unseen = rows(60, seed=2)
    assert answered(bench, None, unseen) == 0
    dataset = bench.text_dataset(train=rows(240), validation=rows(20, seed=1))
    result = handle(bench.train_spec(dataset, **SMALL, epochs=4), bench.context())
    losses = [point.values["loss"] for point in bench.curve if "loss" in point.values]
    assert losses[-1] < 0.1 * losses[0]
    assert answered(bench, result, unseen) > 0.9
    assert result.validation_loss is not None
    assert result.validation_loss < 0.2
    assert (result.rows, result.completions_left_out, result.validation_accuracy) == (240, 0, None)


def test_every_linear_layer_is_trained_unless_some_are_named(bench: Workbench) -> None:
    dataset = bench.text_dataset(train=planted_completions(4))
    result = handle(bench.train_spec(dataset, **SMALL), bench.context())
    adapter = read_adapter(bench.artifacts.fetch(result.adapter))
    assert result.identity.form.model_dump()["target_modules"] == ALL_LINEAR
    assert {path.rpartition(".")[2] for path in adapter.low_rank.factors} == set(ALL_LINEAR)
    assert len(adapter.low_rank.factors) == 2 * len(ALL_LINEAR)
    assert adapter.head is None
    assert result.identity.base.architecture == "decoder"
    assert result.identity.task == Format(bench.base).task()  # type: ignore[arg-type]
    few = handle(bench.train_spec(dataset, **SMALL | {"method": lora(r=2, target_modules=["q_proj"])}), bench.context())
    assert few.identity.form.model_dump()["target_modules"] == ("q_proj",)


def test_the_loss_is_that_of_all_logits_at_the_completions_places(tiny_decoder: Path) -> None:
    base = load_causal_lm(tiny_decoder)
    asked = Format(base.tokenizer_file.parent)
    rows: list[Any] = [*planted_completions(3), *planted_conversations(2)]
    examples = [asked.example(row) for row in rows]
    found = torch.cat(negative_log_likelihoods(base.encoder, examples, asked.tokenizer))
    expected = []
    for example in examples:
        logits = base.encoder(input_ids=torch.tensor([example.ids])).logits[0]
        every = cross_entropy(logits[:-1], torch.tensor(example.ids[1:]), reduction="none")
        expected.append(every[torch.tensor(example.learnt[1:])])
    torch.testing.assert_close(found, torch.cat(expected), atol=1e-6, rtol=1e-6)
    assert len(found) == sum(sum(example.learnt) for example in examples)


def words(example: Example, *, learnt: bool) -> list[str]:
    names = {number: word for word, number in VOCABULARY.items()}
    return [names[token] for token, is_learnt in zip(example.ids, example.learnt, strict=True) if is_learnt == learnt]


def test_completions_are_learnt_with_their_end_and_prompts_are_not(formatted: Format) -> None:
    row = formatted.example(PromptCompletion("rate this film", "film good"))
    assert (words(row, learnt=False), words(row, learnt=True)) == (["rate", "this", "film"], ["film", "good", END])
    (chat,) = planted_conversations(1)
    said = formatted.example(chat)
    assert words(said, learnt=True) == ["film", "good", END, "it", "is", "good", END]
    assert "why" in words(said, learnt=False)
    assert formatted.question(chat) == said.ids[: len(formatted.question(chat))]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("method", [lora(r=2, lora_dropout=0.2), FULL], ids=["lora", "full"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(bench: Workbench, method: dict[str, object]) -> None:
    dataset = bench.text_dataset(train=planted_conversations(40))
    spec = bench.train_spec(dataset, **SMALL | {"method": method}, epochs=2, checkpoint_steps=2)
    whole = handle(spec, bench.context())
    found: list[Checkpoint] = []

    def stop(report: Report) -> None:
        if isinstance(report, Checkpoint):
            found.append(report)
            raise Interrupted

    with pytest.raises(Interrupted):
        handle(spec, bench.context(report=stop))
    resumed = handle(spec, bench.context(checkpoint=found[0]))
    assert resumed.adapter.digest == whole.adapter.digest


def test_all_weights_may_be_trained(bench: Workbench) -> None:
    dataset = bench.text_dataset(train=planted_completions(240))
    spec = bench.train_spec(dataset, **SMALL | {"method": FULL, "learning_rate": 5e-3}, epochs=4)
    result = handle(spec, bench.context())
    assert result.identity.form.type == "dense"
    assert answered(bench, result, planted_completions(40, seed=2)) > 0.9


def test_a_completion_that_would_be_cut_is_left_out_and_counted(bench: Workbench, formatted: Format) -> None:
    (chat,) = planted_conversations(1)
    whole = formatted.example(chat)
    cut = formatted.cut(chat, len(whole) - 1)
    assert (len(cut.example), cut.left_out) == (len(whole) - 1, 1)
    assert words(cut.example, learnt=True) == ["film", "good", END]
    long = PromptCompletion("rate " * 40, "film good")
    dataset = bench.text_dataset(train=[*planted_completions(8), long])
    result = handle(bench.train_spec(dataset, **SMALL), bench.context())
    assert (result.rows, result.completions_left_out) == (8, 1)
    with pytest.raises(JobError, match=r"no train rows whose completion max_length, 32, leaves whole; 1 were left out"):
        handle(bench.train_spec(bench.text_dataset(train=[long]), **SMALL), bench.context())


def test_an_encoder_writes_no_text(workbench: Workbench) -> None:
    dataset = workbench.text_dataset(train=planted_completions(4))
    with pytest.raises(JobError, match="BertModel; text-generation needs a causal language model"):
        handle(workbench.train_spec(dataset, **SMALL), workbench.context())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "rows of prompt_completion or messages; reviews/1 has rows of text_label"),
        ({"method": HEAD}, "method is `head`: expected lora or full for task text-generation"),
        ({"method": prompt()}, "method is `prompt`: expected lora or full for task text-generation"),
        ({"privacy": {"epsilon": 8, "delta": 1e-5}}, "privacy trains a DP head: expected task text-classification"),
    ],
)
def test_what_a_generator_cannot_learn_is_refused_at_the_request(bench: Workbench, fields: Any, said: str) -> None:
    chats = bench.text_dataset(train=planted_completions(2))
    with pytest.raises(ValidationError, match=said):
        train_spec(task=WRITE, **({"dataset": chats} if fields else {}), **fields)


def test_a_learning_rate_that_nobody_gave_is_that_of_the_method() -> None:
    rates = [train_spec(method=method).peak_learning_rate for method in (lora(), HEAD, FULL, prompt())]
    assert rates == [2e-3, 2e-3, 2e-5, 2e-3]
    assert train_spec(method=FULL, learning_rate=0.5).peak_learning_rate == 0.5


def test_a_classifier_reads_no_more_than_its_graph() -> None:
    with pytest.raises(ValidationError, match="max_length is 513: expected at most 512 for text-classification"):
        train_spec(max_length=513)
