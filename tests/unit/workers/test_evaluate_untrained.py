"""Of generators that nobody trained an evaluation says, row by row, what each of them answers and foretells alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.claims import Progress
from schemas.evidence import Interval, Measurement, Paired, PairedMean
from schemas.jobs.evaluate import EvaluateResult
from schemas.model.references import ModelRef
from tests.support.builders.decoder_adapters import decoder_adapter
from tests.support.builders.specs import evaluate_spec, export_spec
from tests.support.workbench import Workbench
from workers.adapters.files import read_adapter
from workers.base.loading import load_causal_lm
from workers.data.rows import PromptCompletion, row_digest
from workers.evaluate.handler import handle
from workers.evidence.means import Estimate, Likelihood, mean, paired_mean, paired_perplexity, perplexity
from workers.evidence.statistics import wilson
from workers.export.handler import handle as export
from workers.runtime.errors import JobError
from workers.tasks.text_generation.examples import Format
from workers.tasks.text_generation.reference import ReferenceDecoder
from workers.tasks.text_generation.scores import MEANS

NEW_TOKENS: Final = 4
PROMPTS: Final = (
    "the movie was warm and witty",
    "film",
    "a dull plot",
    "this scene",
    "it was boring and the plot was weak",
)
"""No two of one length, nor in its order."""


class Alone:
    """A version that is asked one row at a time, with no evaluation around it."""

    def __init__(self, bench: Workbench, version: ModelRef) -> None:
        assert bench.base is not None
        adapter = read_adapter(bench.artifacts.fetch(version.adapter))
        self._decoder = ReferenceDecoder(load_causal_lm(bench.base), adapter, "alone")
        self._format = Format(bench.base)

    def answer(self, prompt: str) -> str:
        question = self._format.question(PromptCompletion(prompt, ""))
        (ids,) = self._decoder.generate([question], "alone", NEW_TOKENS, self._format.stop_token_ids)
        return self._format.tokenizer.decode(ids)

    def likelihood(self, row: PromptCompletion) -> Likelihood:
        (logs,) = self._decoder.log_likelihoods([self._format.last_completion(row)], "alone")
        return Likelihood(-sum(logs), len(logs))


@pytest.fixture
def bench(tmp_path: Path, wide_decoder: Path) -> Workbench:
    return Workbench(tmp_path, wide_decoder)


@pytest.fixture
def mine(bench: Workbench, wide_decoder: Path) -> ModelRef:
    return bench.store(decoder_adapter(wide_decoder, 2, 1, ("q_proj", "v_proj")), 1)


@pytest.fixture
def theirs(bench: Workbench, wide_decoder: Path) -> ModelRef:
    return bench.store(decoder_adapter(wide_decoder, 2, 2, ("q_proj", "v_proj")), 2)


@pytest.fixture
def rows(bench: Workbench, mine: ModelRef, theirs: ModelRef) -> list[PromptCompletion]:
    """Three completions are what the one version answers, one is what the other does, and one is nobody's."""
    here, there = Alone(bench, mine), Alone(bench, theirs)
    planted = [*map(here.answer, PROMPTS[:2]), there.answer(PROMPTS[2]), "fine", here.answer(PROMPTS[4])]
    return [PromptCompletion(prompt, completion) for prompt, completion in zip(PROMPTS, planted, strict=True)]


def evaluated(bench: Workbench, version: ModelRef, rows: Sequence[PromptCompletion], **fields: Any) -> EvaluateResult:
    dataset = bench.text_dataset("asked", test=rows)
    spec = evaluate_spec(version, dataset=dataset, max_new_tokens=NEW_TOKENS, batch_size=2, **fields)
    return handle(spec, bench.context())


def of(result: EvaluateResult, metric: str) -> Measurement:
    found = result.measured(metric)
    assert found is not None
    return found


def outcomes(bench: Workbench, result: EvaluateResult) -> dict[str, dict[str, float]]:
    """By the digest of their row."""
    lines = map(json.loads, bench.artifacts.read(result.outcomes).splitlines())
    return {line.pop("row"): line for line in lines}


def near(found: Interval | Estimate) -> Any:
    return pytest.approx((found.value, found.low, found.high, found.n), rel=1e-5)


def test_every_row_has_the_outcome_that_it_has_alone(
    bench: Workbench, mine: ModelRef, rows: list[PromptCompletion]
) -> None:
    found, alone = outcomes(bench, evaluated(bench, mine, rows)), Alone(bench, mine)
    for row, is_exact in zip(rows, (True, True, False, False, True), strict=True):
        answer, likelihood = alone.answer(row.prompt), alone.likelihood(row)
        assert found.pop(row_digest(row.prompt, row.completion)) == {
            "exact_match": is_exact,
            "valid_json": False,
            **{metric: score(answer, row.completion) for metric, score in MEANS.items()},
            "nats": pytest.approx(likelihood.nats, rel=1e-5),
            "tokens": likelihood.tokens,
        }
    assert found == {}


def test_every_measurement_is_of_all_rows_and_beside_the_other_version(
    bench: Workbench, mine: ModelRef, theirs: ModelRef, rows: list[PromptCompletion]
) -> None:
    result, here, there = evaluated(bench, mine, rows, against=theirs), Alone(bench, mine), Alone(bench, theirs)
    assert [one.metric for one in result.measurements] == ["exact_match", *MEANS, "perplexity"]
    exact = of(result, "exact_match")
    assert (exact.value, exact.low, exact.high, exact.n) == near(wilson(3, 5))
    assert isinstance(exact.paired, Paired)
    assert (exact.paired.both, exact.paired.only_this, exact.paired.only_other, exact.paired.neither) == (0, 3, 1, 1)
    for metric, score in MEANS.items():
        one = of(result, metric)
        scores, others = ([score(of_.answer(row.prompt), row.completion) for row in rows] for of_ in (here, there))
        assert scores != others
        assert (one.value, one.low, one.high, one.n) == near(mean(scores))
        assert one.paired == paired_mean(scores, others)
    one = of(result, "perplexity")
    likelihoods, others_ = ([of_.likelihood(row) for row in rows] for of_ in (here, there))
    assert (one.value, one.low, one.high, one.n) == near(perplexity(likelihoods))
    assert isinstance(one.paired, PairedMean)
    assert one.paired.difference == pytest.approx(paired_perplexity(likelihoods, others_).difference, rel=1e-4)


def test_of_a_version_alone_nothing_is_compared(bench: Workbench, mine: ModelRef, rows: list[PromptCompletion]) -> None:
    assert [one.paired for one in evaluated(bench, mine, rows).measurements] == [None] * 5


def test_json_is_measured_where_every_completion_is_json_and_compared(
    bench: Workbench, mine: ModelRef, theirs: ModelRef, rows: list[PromptCompletion]
) -> None:
    typed = [PromptCompletion(row.prompt, json.dumps({"is": row.completion})) for row in rows]
    found = of(evaluated(bench, mine, typed, against=theirs), "valid_json")
    assert (found.value, found.n) == (0, 5)
    assert isinstance(found.paired, Paired)
    assert found.paired.neither == 5
    assert evaluated(bench, mine, [*typed[1:], rows[0]]).measured("valid_json") is None


def test_versions_that_were_exported_are_asked_by_their_graphs(
    bench: Workbench,
    mine: ModelRef,
    theirs: ModelRef,
    rows: list[PromptCompletion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = evaluated(bench, mine, rows, against=theirs)
    graph = export(export_spec(mine), bench.context()).graph
    other = export(export_spec(theirs, base_graph=graph.base_graph), bench.context()).graph
    monkeypatch.delattr("workers.evaluate.text_generation.ReferenceDecoder")
    found = evaluated(bench, mine, rows, graph=graph, against=theirs, against_graph=other)
    assert (found.conditions.graph, found.conditions.against_graph) == (graph, other)
    for metric in ("exact_match", *MEANS):
        assert of(found, metric) == of(expected, metric)
    assert of(found, "perplexity").value == pytest.approx(of(expected, "perplexity").value, rel=1e-3)


def test_it_is_told_what_is_loaded_how_far_it_is_and_what_was_measured(
    bench: Workbench, mine: ModelRef, theirs: ModelRef, rows: list[PromptCompletion]
) -> None:
    result = evaluated(bench, mine, rows, against=theirs)
    told = [(one.step, one.total, one.message) for one in bench.reports if isinstance(one, Progress)]
    assert told == [
        (0, 0, "reading split test of asked/1"),
        (0, 0, "loading sentiment/1"),
        *((step, 5, "split test, sentiment/1") for step in (2, 4, 5)),
        (5, 5, "loading sentiment/2"),  # how far it was before
        *((step, 5, "split test, sentiment/2") for step in (2, 4, 5)),
    ]
    measured = [line for line in bench.log if line.endswith(" on 5 rows")]
    assert measured[0] == "exact_match 0.6000 [0.2307, 0.8824] on 5 rows"
    assert [line.split()[0] for line in measured] == [one.metric for one in result.measurements]


def test_one_row_has_no_interval(bench: Workbench, mine: ModelRef) -> None:
    with pytest.raises(JobError) as refused:
        evaluated(bench, mine, [PromptCompletion("film", "fine")])
    expected = "dataset asked/1 split test has 1 row: expected two at least, for an interval"
    assert str(refused.value) == expected
    assert len(outcomes(bench, evaluated(bench, mine, [PromptCompletion(text, "fine") for text in ("a", "b")]))) == 2
