"""The kinds of job as the control plane knows them: here, and nowhere else on its side.

What a result is registered as, what its job hands on to a pipeline's later stages and which versions a spec refers to
follow from types in `schemas`, so nothing is said of them here.
"""

from collections.abc import Mapping
from typing import Any, Final

from controlplane.domain.claims import Claim, same
from controlplane.kinds import attack, curate, evaluate, export, merge, train
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs import JobKind, JobResult, JobSpec

KINDS: Final[Mapping[JobKind, Kind[Any, Any]]] = {
    "curate": curate.KIND,
    "train": train.KIND,
    "merge": merge.KIND,
    "export": export.KIND,
    "evaluate": evaluate.KIND,
    "attack": attack.KIND,
}


def contradiction(spec: JobSpec, result: JobResult, registry: Registry) -> Claim | None:
    """The first claim of a result that its spec or the registry contradicts; None: it answers the spec."""
    if result.kind != spec.kind:
        return same("kind", result.kind, spec.kind)
    return next((claim for claim in KINDS[spec.kind].claims(spec, result, registry) if not claim.holds), None)
