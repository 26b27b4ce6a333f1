"""Curation, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.result_claims import Claim, same
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs.curate import CurateResult, CurateSpec


def _claims(spec: CurateSpec, result: CurateResult, registry: Registry) -> Iterator[Claim]:
    for field in ("dataset", "row_schema"):
        yield same(field, getattr(result, field), getattr(spec, field))


KIND = Kind(_claims)
