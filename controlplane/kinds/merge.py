"""Merging, as the control plane knows it."""

from collections.abc import Iterator

from controlplane.domain.result_claims import Claim, same, same_document
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs.merge import MergeResult, MergeSpec


def _claims(spec: MergeSpec, result: MergeResult, registry: Registry) -> Iterator[Claim]:
    yield same("model", result.model, spec.model)
    yield from same_document("identity", result.identity, spec.identity())
    yield same("privacy", result.privacy, None)


KIND = Kind(_claims)
