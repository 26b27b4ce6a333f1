"""The kinds of job, once: each has a module here with its Spec and its Result, and its place in the three unions below.

A spec is complete: a worker that holds it needs no database. Where a spec names a dataset version or a model
version, a client may write its name (`reviews@latest`, `reviews/3`, `sentiment@champion`, an id) and the control plane
puts the whole reference there before the job is recorded.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, TypeAdapter

from schemas.jobs import attack, curate, evaluate, export, merge, train

JobKind = Literal[curate.Kind, train.Kind, merge.Kind, export.Kind, evaluate.Kind, attack.Kind]
JobSpec = Annotated[
    curate.CurateSpec
    | train.TrainSpec
    | merge.MergeSpec
    | export.ExportSpec
    | evaluate.EvaluateSpec
    | attack.AttackSpec,
    Field(discriminator="kind"),
]
JobResult = Annotated[
    curate.CurateResult
    | train.TrainResult
    | merge.MergeResult
    | export.ExportResult
    | evaluate.EvaluateResult
    | attack.AttackResult,
    Field(discriminator="kind"),
]


def _by_kind(union: Any) -> dict[JobKind, Any]:
    return {cls.model_fields["kind"].default: cls for cls in get_args(get_args(union)[0])}


JOB_KINDS: Final[tuple[JobKind, ...]] = get_args(JobKind)
SPECS: Final[Mapping[JobKind, type[JobSpec]]] = _by_kind(JobSpec)
RESULTS: Final[Mapping[JobKind, type[JobResult]]] = _by_kind(JobResult)
SPEC: Final[TypeAdapter[JobSpec]] = TypeAdapter(JobSpec)
RESULT: Final[TypeAdapter[JobResult]] = TypeAdapter(JobResult)
