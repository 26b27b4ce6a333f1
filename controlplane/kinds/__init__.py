"""The kinds of job as the control plane knows them: here, and nowhere else on its side.

What a result is registered as, what its job hands on to a pipeline's later stages and which versions a spec refers to
follow from types in `schemas`, so nothing is said of them here.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from controlplane.domain.result_claims import Claim, same
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs import JOB_KINDS, JobKind, JobResult, JobSpec

KINDS: Final[Mapping[JobKind, Kind[Any, Any]]] = {
    kind: import_module(f"controlplane.kinds.{kind}").KIND for kind in JOB_KINDS
}
"""Each has a module here by its name."""


def contradiction(spec: JobSpec, result: JobResult, registry: Registry) -> Claim | None:
    """The first claim of a result that its spec or the registry contradicts; None: it answers the spec."""
    if result.kind != spec.kind:
        return same("kind", result.kind, spec.kind)
    return next((claim for claim in KINDS[spec.kind].claims(spec, result, registry) if not claim.holds), None)
