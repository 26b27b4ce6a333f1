"""Evaluates a generator: its greedy answers beside the completions of rows, and how likely it takes these to be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.evidence import Measurement
from schemas.jobs.attack import AnswerMetric
from schemas.jobs.evaluate import EvaluateSpec
from schemas.model.references import GraphRef, ModelRef
from workers.adapters.files import read_adapter
from workers.base.gguf import fetch_base
from workers.base.loading import load_causal_lm
from workers.data.rows import Row
from workers.evaluate.findings import Found
from workers.evidence.means import Likelihood, mean, paired_mean, paired_perplexity, perplexity
from workers.evidence.measured import measured
from workers.evidence.paired import pair
from workers.evidence.statistics import wilson
from workers.graph.decoder.offline import OfflineDecoder
from workers.graph.decoder.session import DecoderSession
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.text_generation.decoder import Decoder
from workers.tasks.text_generation.examples import Format, answer_of
from workers.tasks.text_generation.reference import ReferenceDecoder
from workers.tasks.text_generation.scores import CHECKS, MEANS, is_json

_VERSION: Final = "evaluated"


@dataclass(frozen=True)
class Answered:
    """What one version made of each row."""

    answers: list[str]
    likelihoods: list[Likelihood]


def evaluate(spec: EvaluateSpec, rows: Sequence[Row], context: Context) -> Found:
    if len(rows) < 2:
        raise JobError(
            f"dataset {spec.dataset.dataset}/{spec.dataset.version} split {spec.split} has {len(rows)} row: "
            "expected two at least, for an interval"
        )
    mine = _ask(spec.model_version, spec.graph, spec, rows, context)
    theirs = None if spec.against is None else _ask(spec.against, spec.against_graph, spec, rows, context)
    expected = [answer_of(row) for row in rows]
    measurements = tuple(_measure(mine, theirs, expected))
    for one in measurements:
        context.log(f"{one.metric} {one.value:.4f} [{one.low:.4f}, {one.high:.4f}] on {one.n} rows")
    return Found(measurements, [_outcome(*one) for one in zip(mine.answers, expected, mine.likelihoods, strict=True)])


def _ask(
    version: ModelRef, graph: GraphRef | None, spec: EvaluateSpec, rows: Sequence[Row], context: Context
) -> Answered:
    name = f"{version.model}/{version.version}"
    context.stage(f"loading {name}")
    folder = fetch_base(version.identity.base.uri, context.sources)
    decoder = _open_reference(version, folder, context) if graph is None else _open_graph(graph, context)
    asked = Format(folder)
    questions = [asked.question(row) for row in rows]
    examples = [asked.last_completion(row) for row in rows]
    answers, likelihoods = [""] * len(rows), [Likelihood(0.0, 0)] * len(rows)
    # By length: less padding, and rows of one batch end their answers at about the same time.
    order = sorted(range(len(rows)), key=lambda row: len(questions[row]))
    for start in range(0, len(order), spec.batch_size):
        batch = order[start : start + spec.batch_size]
        found = decoder.generate([questions[row] for row in batch], _VERSION, spec.max_new_tokens, asked.stop_token_ids)
        logs = decoder.log_likelihoods([examples[row] for row in batch], _VERSION)
        for row, ids, log in zip(batch, found, logs, strict=True):
            answers[row], likelihoods[row] = asked.tokenizer.decode(ids), Likelihood(-sum(log), len(log))
        context.progress(start + len(batch), len(rows), f"split {spec.split}, {name}")
    return Answered(answers, likelihoods)


def _open_graph(graph: GraphRef, context: Context) -> Decoder:
    session = DecoderSession(context.artifacts.fetch(graph.base_graph))
    session.load(_VERSION, context.artifacts.fetch(graph.adapter))
    return OfflineDecoder(session)


def _open_reference(version: ModelRef, folder: Path, context: Context) -> Decoder:
    """For a version that was not exported."""
    return ReferenceDecoder(load_causal_lm(folder), read_adapter(context.artifacts.fetch(version.adapter)), _VERSION)


def _measure(mine: Answered, theirs: Answered | None, expected: Sequence[str]) -> Iterable[Measurement]:
    yield _share("exact_match", mine, theirs, expected)
    if all(map(is_json, expected)):
        yield _share("valid_json", mine, theirs, expected)
    for metric, score in MEANS.items():
        values = list(map(score, mine.answers, expected))
        other = None if theirs is None else list(map(score, theirs.answers, expected))
        yield measured(metric, mean(values), paired=None if other is None else paired_mean(values, other))
    yield measured(
        "perplexity",
        perplexity(mine.likelihoods),
        paired=None if theirs is None else paired_perplexity(mine.likelihoods, theirs.likelihoods),
    )


def _share(metric: AnswerMetric, mine: Answered, theirs: Answered | None, expected: Sequence[str]) -> Measurement:
    here = list(map(CHECKS[metric], mine.answers, expected))
    there = None if theirs is None else list(map(CHECKS[metric], theirs.answers, expected))
    paired = None if there is None else pair(list(zip(here, there, strict=True)))
    return measured(metric, wilson(sum(here), len(here)), paired=paired)


def _outcome(answer: str, expected: str, likelihood: Likelihood) -> dict[str, float]:
    return {
        **{metric: is_right(answer, expected) for metric, is_right in CHECKS.items()},
        **{metric: score(answer, expected) for metric, score in MEANS.items()},
        "nats": likelihood.nats,
        "tokens": likelihood.tokens,
    }
