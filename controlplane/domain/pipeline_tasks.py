"""Which task a stage's version is for, where the pipeline itself says it, and what no version for that task can do."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from controlplane.errors import Invalid
from schemas.artifacts import Reference
from schemas.jobs import SPECS
from schemas.jobs.references import BaseGraphOf, marked, with_references
from schemas.model.precision import Precision
from schemas.model.references import ModelRef
from schemas.model.tasks import TextClassification, TextGeneration
from schemas.pipelines import REFERENCE, JobStage, PipelineSpec

_PRECISIONS: Final[Mapping[str, tuple[Precision, ...]]] = {
    get_args(task.model_fields["type"].annotation)[0]: task.PRECISIONS for task in (TextClassification, TextGeneration)
}


def check_precision(spec: PipelineSpec, name: str, stage: JobStage) -> None:
    """Raises Invalid for a graph in a precision in which no version for that task is served.

    What the pipeline does not say, such as a param or a version of the registry, is seen when the job is requested.
    """
    fields = SPECS[stage.kind].model_fields
    for graph in marked(SPECS[stage.kind], BaseGraphOf).values():
        precision = stage.spec.get(graph.precision, fields[graph.precision].default)
        task = _task_of(spec, stage.spec.get(graph.of))
        served = _PRECISIONS.get(task or "")
        if served is None or not isinstance(precision, str) or REFERENCE.search(precision) or precision in served:
            continue
        field = f"stages.{name}.spec.{graph.precision}"
        raise Invalid(f"{field}: {precision}: expected {' or '.join(served)} for {task}", field=field)


def _task_of(spec: PipelineSpec, version: Any) -> str | None:
    """The task of a version by its reference; None: another stage does not make it, or does not say."""
    whole = REFERENCE.fullmatch(version) if isinstance(version, str) else None
    if whole is None or whole[1] != "stages":
        return None
    stage = spec.stages[whole[2].partition(".")[0]]
    if not isinstance(stage, JobStage):
        return None
    if (task := SPECS[stage.kind].model_fields.get("task")) is not None:
        return _said(stage.spec.get("task", task.default.model_dump()))
    # It is made of other versions, which are for one task, or something was found out about one.
    return next((known for one in _versions(stage) if (known := _task_of(spec, one)) is not None), None)


def _said(task: Any) -> str | None:
    found = task.get("type") if isinstance(task, dict) else None
    return found if isinstance(found, str) else None


def _versions(stage: JobStage) -> list[Any]:
    """Whatever stands in its spec where a model version belongs."""
    found = []

    def note(wanted: type[Reference], value: Any, path: str) -> Any:
        if issubclass(wanted, ModelRef):
            found.append(value)
        return value

    with_references(SPECS[stage.kind], stage.spec, note)
    return found
