"""Evaluates: a version and a dataset version's split in, scores out, beside another version where it is asked."""

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from schemas.evidence import Conditions
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from workers.data.manifest import count_trained_on, read_rows
from workers.data.rows import Row, canonical_of, rows_digest
from workers.evaluate.findings import Found, keep
from workers.runtime.context import Context
from workers.runtime.errors import JobError


class _Task(Protocol):
    """The module of this folder that is named as the version's task is; another task's is not loaded."""

    def evaluate(self, spec: EvaluateSpec, rows: Sequence[Row], context: Context) -> Found: ...


def handle(spec: EvaluateSpec, context: Context) -> EvaluateResult:
    context.stage(f"reading split {spec.split} of {spec.dataset.dataset}/{spec.dataset.version}")
    rows = read_rows(context.artifacts, spec.dataset, spec.split)
    if not rows:
        raise JobError(f"dataset {spec.dataset.dataset}/{spec.dataset.version} split {spec.split} has no rows")
    name = spec.model_version.identity.task.type.replace("-", "_")
    found = cast(_Task, importlib.import_module(f"workers.evaluate.{name}")).evaluate(spec, rows, context)
    return EvaluateResult(
        model_version=spec.model_version.id,
        conditions=Conditions.of(spec),
        rows_digest=rows_digest(map(canonical_of, rows)),
        rows_trained_on=count_trained_on(context.artifacts, rows, spec.trained_on),
        measurements=found.measurements,
        outcomes=keep(rows, found.outcomes, context.artifacts),
    )
