"""Evaluation, as the control plane knows it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from controlplane.domain.result_claims import Claim, same
from controlplane.kinds.kind import Kind, Registry
from controlplane.kinds.on_rows import asked, caveats, learnt, measurement
from schemas.evidence import KNOWN
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.metrics import METRICS, MetricName

GENERATION: Final[tuple[MetricName, ...]] = ("exact_match", "token_f1", "rouge_l", "chrf", "perplexity")
"""What is measured of every text-generation."""


def _claims(spec: EvaluateSpec, result: EvaluateResult, registry: Registry) -> Iterator[Claim]:
    yield from CLAIMS[spec.model_version.identity.task.type](spec, result)
    rows = registry.rows_digest(spec.dataset.id, spec.split)
    yield Claim("rows_digest", result.rows_digest, result.rows_digest == rows, f"{rows}, as registered")


def _of_generation(spec: EvaluateSpec, result: EvaluateResult) -> Iterator[Claim]:
    """Every metric is measured on every row."""
    yield from asked(spec, result, *GENERATION)
    n = measurement(result, "exact_match").n
    for one in result.measurements:
        if one.metric in METRICS:
            yield same(f"measurements.{one.subject}.n", one.n, n)
            if one.paired is not None:
                yield same(f"measurements.{one.subject}.paired.n", one.paired.n, n)
    yield learnt(spec, result, n)


def _of_classification(spec: EvaluateSpec, result: EvaluateResult) -> Iterator[Claim]:
    yield from asked(spec, result, "accuracy", "macro_f1")
    accuracy = measurement(result, "accuracy")
    yield same("measurements.macro_f1.n", measurement(result, "macro_f1").n, accuracy.n)
    yield from _labels(spec, result)
    recalls = [one for one in result.measurements if one.metric == "recall"]
    yield same("measurements.recall.n", sum(one.n for one in recalls), accuracy.n)
    for one in recalls:
        if one.paired is not None:
            yield same(f"measurements.{one.subject}.paired.n", one.paired.n, one.n)
    yield learnt(spec, result, accuracy.n)
    if accuracy.paired is not None:
        yield same("measurements.accuracy.paired.n", accuracy.paired.n, accuracy.n)


def _labels(spec: EvaluateSpec, result: EvaluateResult) -> Iterator[Claim]:
    """What is measured label by label is measured of every label that the version knows."""
    labels = sorted(spec.model_version.identity.classification.labels)
    for metric in dict.fromkeys(("recall", *(one.metric for one in result.measurements))):
        if (known := KNOWN.get(metric)) is not None and known.sliced_by == "label":
            found = sorted(str(one.slice) for one in result.measurements if one.metric == metric)
            yield same(f"measurements.{metric}", found, labels)


CLAIMS: Final[Mapping[str, Callable[[EvaluateSpec, EvaluateResult], Iterator[Claim]]]] = {
    "text-classification": _of_classification,
    "text-generation": _of_generation,
}


def _summary(result: EvaluateResult) -> str:
    if (exact := result.measured("exact_match")) is not None:
        told = ", ".join(f"{one.metric} {one.value:.4f}" for one in result.measurements if one is not exact)
        return (
            f"{result.conditions.split}: exact match {exact.value:.4f} [{exact.low:.4f}, {exact.high:.4f}], {told}, "
            f"{exact.n} rows{caveats(result, exact)}"
        )
    accuracy, macro_f1 = measurement(result, "accuracy"), measurement(result, "macro_f1")
    return (
        f"{result.conditions.split}: accuracy {accuracy.value:.4f} [{accuracy.low:.4f}, {accuracy.high:.4f}], "
        f"macro-F1 {macro_f1.value:.4f}, {accuracy.n} rows{caveats(result, accuracy)}"
    )


KIND = Kind(_claims, _summary, unit="rows")
