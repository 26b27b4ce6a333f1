"""Export, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.result_claims import Claim, at_least, at_most, same, same_document
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs.export import ExportResult, ExportSpec


def _claims(spec: ExportSpec, result: ExportResult, registry: Registry) -> Iterator[Claim]:
    yield same("model_version", result.model_version, spec.model_version.id)
    yield from same_document("graph.identity", result.graph.identity, spec.model_version.identity)
    yield same("graph.precision", result.graph.precision, spec.precision)
    if spec.base_graph is not None:
        yield same("graph.base_graph.digest", result.graph.base_graph.digest, spec.base_graph.digest)
    yield same("rows", result.rows, spec.parity_rows)
    yield at_most("max_abs_diff", result.max_abs_diff, spec.allowed_abs_diff)
    yield at_least("agreement", result.agreement, spec.min_agreement)


def _summary(result: ExportResult) -> str:
    return (
        f"in {result.graph.precision}: largest difference of a logit {result.max_abs_diff:.2g} "
        f"over {result.rows} rows, {result.agreement:.1%} of answers agree"
    )


KIND = Kind(_claims, _summary)
