"""Evaluation, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.claims import Claim, same
from controlplane.kinds.kind import Kind, Registry
from controlplane.kinds.on_rows import asked, caveats, learnt
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec


def _claims(spec: EvaluateSpec, result: EvaluateResult, registry: Registry) -> Iterator[Claim]:
    yield from asked(spec, result)
    yield same("per_class", sorted(result.per_class), sorted(spec.model_version.identity.task.labels))
    supported = sum(score.support for score in result.per_class.values())
    yield same("per_class.support", supported, result.accuracy.n)
    yield learnt(spec, result, result.accuracy.n)
    if result.paired is not None:
        yield same("paired.n", result.paired.n, result.accuracy.n)
    rows = registry.rows_digest(spec.dataset.id, spec.split)
    yield Claim("rows_digest", result.rows_digest, result.rows_digest == rows, f"{rows}, as registered")


def _summary(result: EvaluateResult) -> str:
    accuracy = result.accuracy
    return (
        f"{result.split}: accuracy {accuracy.value:.4f} [{accuracy.low:.4f}, {accuracy.high:.4f}], "
        f"macro-F1 {result.macro_f1:.4f}, {accuracy.n} rows{caveats(result)}"
    )


KIND = Kind(_claims, _summary, unit="rows")
