"""A generator is evaluated by its greedy answers and by what it takes completions for, beside another's."""

import json
import math
from typing import Any

import pytest
import torch

from schemas.evidence import Measurement, Paired, PairedMean
from schemas.jobs.evaluate import EvaluateResult
from schemas.model.references import ModelRef
from tests.support.builders.decoders import build_tiny_decoder, planted_completions, planted_conversations
from tests.support.builders.models import registered
from tests.support.builders.specs import evaluate_spec, export_spec, lora
from tests.support.workbench import Workbench
from workers.adapters.files import read_adapter
from workers.base.loading import load_causal_lm
from workers.data.rows import PromptCompletion
from workers.evaluate.handler import handle
from workers.export.handler import handle as export
from workers.runtime.errors import JobError
from workers.tasks.text_generation.examples import Format
from workers.tasks.text_generation.reference import ReferenceDecoder
from workers.tasks.text_generation.scores import MEANS
from workers.train.handler import handle as train

SMALL: dict[str, Any] = {
    "task": {"type": "text-generation"},
    "method": lora(r=8),
    "learning_rate": 1e-2,
    "max_length": 32,
    "epochs": 4,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A base that can be exported: its heads have size 16, and no layer is as wide as its vocabulary."""
    base = build_tiny_decoder(tmp_path_factory.mktemp("base") / "wide", hidden_size=64, num_key_value_heads=4)
    return Workbench(tmp_path_factory.mktemp("evaluate"), base)


@pytest.fixture(scope="module")
def good(bench: Workbench) -> ModelRef:
    rows = bench.text_dataset("learnt", train=planted_completions(240))
    return registered(train(bench.train_spec(rows, **SMALL), bench.context()), 1)


@pytest.fixture(scope="module")
def poor(bench: Workbench) -> ModelRef:
    rows = bench.text_dataset("little", train=planted_completions(8, seed=5))
    return registered(train(bench.train_spec(rows, **SMALL | {"epochs": 1}), bench.context()), 2)


def evaluated(bench: Workbench, version: ModelRef, rows: Any, **fields: Any) -> EvaluateResult:
    dataset = bench.text_dataset("asked", test=rows)
    return handle(evaluate_spec(version, dataset=dataset, max_new_tokens=8, **fields), bench.context())


def of(result: EvaluateResult, metric: str) -> Measurement:
    found = result.measured(metric)
    assert found is not None
    return found


def test_answers_are_measured_beside_another_versions(bench: Workbench, good: ModelRef, poor: ModelRef) -> None:
    rows = planted_completions(40, seed=2)
    found = evaluated(bench, good, rows, against=poor, batch_size=16)
    exact, worse = of(found, "exact_match"), of(evaluated(bench, poor, rows), "exact_match")
    assert exact.value > 0.9 > 0.1 > worse.value
    assert isinstance(exact.paired, Paired)
    assert exact.paired.difference == pytest.approx(exact.value - worse.value)
    assert exact.paired.low > 0.5
    for metric in MEANS:
        one = of(found, metric)
        assert isinstance(one.paired, PairedMean)
        assert one.value > 0.9
        assert (one.n, one.paired.n) == (40, 40)
        assert one.paired.low > 0
    perplexity = of(found, "perplexity")
    assert isinstance(perplexity.paired, PairedMean)
    assert 1 <= perplexity.value < 1.5
    assert perplexity.paired.high < 0
    assert found.measured("valid_json") is None


def test_a_version_that_was_exported_is_asked_by_its_graph(
    bench: Workbench, good: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = planted_completions(12, seed=4)
    expected = evaluated(bench, good, rows)
    graph = export(export_spec(good), bench.context()).graph
    monkeypatch.delattr("workers.evaluate.text_generation.ReferenceDecoder")
    found = evaluated(bench, good, rows, graph=graph)
    assert found.conditions.graph == graph
    for metric in ("exact_match", *MEANS):
        assert of(found, metric) == of(expected, metric)
    assert of(found, "perplexity").value == pytest.approx(of(expected, "perplexity").value, rel=1e-3)


def test_outcomes_are_of_each_row_and_hold_no_text(bench: Workbench, good: ModelRef) -> None:
    found = evaluated(bench, good, planted_completions(40, seed=2))
    told = bench.artifacts.read(found.outcomes).decode()
    lines = [json.loads(line) for line in told.splitlines()]
    assert len({line["row"] for line in lines}) == 40
    exact, perplexity = of(found, "exact_match"), of(found, "perplexity")
    assert sum(line["exact_match"] for line in lines) / 40 == exact.value
    nats = sum(line["nats"] for line in lines) / sum(line["tokens"] for line in lines)
    assert perplexity.value == pytest.approx(math.exp(nats))
    assert "film" not in told


def test_rows_whose_prompt_was_trained_on_are_counted(bench: Workbench, good: ModelRef) -> None:
    seen = planted_completions(4)
    rows = [*planted_completions(10, seed=7), *(PromptCompletion(row.prompt, "another answer") for row in seen)]
    learnt = bench.text_dataset("learnt", train=planted_completions(240))
    assert evaluated(bench, good, rows, trained_on=(learnt,)).rows_trained_on >= 4
    assert evaluated(bench, good, rows).rows_trained_on == 0


def test_json_is_measured_where_every_completion_is_json(bench: Workbench, poor: ModelRef) -> None:
    rows = [PromptCompletion(row.prompt, json.dumps({"is": row.completion})) for row in planted_completions(4)]
    assert of(evaluated(bench, poor, rows), "valid_json").value == 0


def test_a_conversation_is_asked_for_its_last_turn(bench: Workbench, good: ModelRef) -> None:
    found = evaluated(bench, good, planted_conversations(6))
    lines = [json.loads(line) for line in bench.artifacts.read(found.outcomes).decode().splitlines()]
    assert {line["tokens"] for line in lines} == {4}  # it is good, and the end


def test_one_row_has_no_interval(bench: Workbench, good: ModelRef) -> None:
    with pytest.raises(JobError, match=r"asked/1 split test has 1 row: expected two at least"):
        evaluated(bench, good, planted_completions(1))


def test_the_reference_answers_in_a_batch_as_it_does_alone(bench: Workbench, good: ModelRef) -> None:
    base = load_causal_lm(bench.base)  # type: ignore[arg-type]
    decoder = ReferenceDecoder(base, read_adapter(bench.artifacts.fetch(good.adapter)), "v")
    asked = Format(base.tokenizer_file.parent)
    rows = planted_completions(6, seed=3)
    prompts = [asked.question(row) for row in rows]
    assert len({len(prompt) for prompt in prompts}) > 1
    together = decoder.generate(prompts, "v", 8, asked.stop_token_ids)
    assert together == [decoder.generate([prompt], "v", 8, asked.stop_token_ids)[0] for prompt in prompts]
    assert decoder.generate(prompts, "v", 1, asked.stop_token_ids) == [answer[:1] for answer in together]
    with pytest.raises(KeyError):
        decoder.generate(prompts, "another", 1, asked.stop_token_ids)


def test_the_reference_takes_completions_for_what_all_logits_say(bench: Workbench, good: ModelRef) -> None:
    base = load_causal_lm(bench.base)  # type: ignore[arg-type]
    decoder = ReferenceDecoder(base, read_adapter(bench.artifacts.fetch(good.adapter)), "v")
    asked = Format(base.tokenizer_file.parent)
    examples = [asked.last_completion(row) for row in planted_conversations(3)]
    found = decoder.log_likelihoods(examples, "v")
    for example, logs in zip(examples, found, strict=True):
        with torch.no_grad():
            every = base.encoder(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(dim=-1)
        expected = [float(every[place - 1, token]) for place, token in enumerate(example.ids) if example.learnt[place]]
        assert logs == pytest.approx(expected, abs=1e-5)
