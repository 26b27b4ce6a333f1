"""Evaluation, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.claims import Claim, same
from controlplane.kinds.kind import Kind, Registry
from controlplane.kinds.on_rows import asked, caveats, learnt, measurement
from schemas.evidence import KNOWN
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec


def _claims(spec: EvaluateSpec, result: EvaluateResult, registry: Registry) -> Iterator[Claim]:
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
    rows = registry.rows_digest(spec.dataset.id, spec.split)
    yield Claim("rows_digest", result.rows_digest, result.rows_digest == rows, f"{rows}, as registered")


def _labels(spec: EvaluateSpec, result: EvaluateResult) -> Iterator[Claim]:
    """What is measured label by label is measured of every label that the version knows."""
    labels = sorted(spec.model_version.identity.classification.labels)
    for metric in dict.fromkeys(("recall", *(one.metric for one in result.measurements))):
        if (known := KNOWN.get(metric)) is not None and known.sliced_by == "label":
            found = sorted(str(one.slice) for one in result.measurements if one.metric == metric)
            yield same(f"measurements.{metric}", found, labels)


def _summary(result: EvaluateResult) -> str:
    accuracy, macro_f1 = measurement(result, "accuracy"), measurement(result, "macro_f1")
    return (
        f"{result.conditions.split}: accuracy {accuracy.value:.4f} [{accuracy.low:.4f}, {accuracy.high:.4f}], "
        f"macro-F1 {macro_f1.value:.4f}, {accuracy.n} rows{caveats(result, accuracy)}"
    )


KIND = Kind(_claims, _summary, unit="rows")
