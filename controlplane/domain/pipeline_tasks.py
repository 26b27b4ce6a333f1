"""Which task a stage's version is for, where the pipeline itself says it, and what no version for that task can do."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from controlplane.errors import Invalid
from schemas.jobs.export import ExportSpec
from schemas.jobs.train import TrainSpec
from schemas.model.precision import Precision
from schemas.model.tasks import TextClassification, TextGeneration
from schemas.pipelines import REFERENCE, JobStage, PipelineSpec

_PRECISIONS: Final[Mapping[str, tuple[Precision, ...]]] = {
    get_args(task.model_fields["type"].annotation)[0]: task.PRECISIONS for task in (TextClassification, TextGeneration)
}


def check_precision(spec: PipelineSpec, name: str, stage: JobStage) -> None:
    """Raises Invalid for an export in a precision in which no version for that task is served.

    What the pipeline does not say, such as a param or a version of the registry, is seen when the job is requested.
    """
    if stage.kind != "export":
        return
    precision = stage.spec.get("precision", ExportSpec.model_fields["precision"].default)
    task = _task_of(spec, stage.spec.get("model_version"))
    served = _PRECISIONS.get(task or "")
    if served is None or not isinstance(precision, str) or REFERENCE.search(precision) or precision in served:
        return
    field = f"stages.{name}.spec.precision"
    raise Invalid(f"{field}: {precision}: expected {' or '.join(served)} for {task}", field=field)


def _task_of(spec: PipelineSpec, version: Any) -> str | None:
    """The task of a version by its reference; None: another stage does not make it, or does not say."""
    whole = REFERENCE.fullmatch(version) if isinstance(version, str) else None
    if whole is None or whole[1] != "stages":
        return None
    stage = spec.stages[whole[2].partition(".")[0]]
    if not isinstance(stage, JobStage):
        return None
    if stage.kind == "train":
        return _task_of_training(stage)
    if stage.kind == "merge":
        return _task_of_merge(spec, stage)
    return _task_of(spec, stage.spec.get("model_version"))  # it found something out about that version


def _task_of_training(stage: JobStage) -> str | None:
    task = stage.spec.get("task", TrainSpec.model_fields["task"].default.model_dump())
    found = task.get("type") if isinstance(task, dict) else None
    return found if isinstance(found, str) else None


def _task_of_merge(spec: PipelineSpec, stage: JobStage) -> str | None:
    """Its sources are for one task: the first that says which speaks for all."""
    sources = stage.spec.get("sources")
    versions = [one.get("model_version") if isinstance(one, dict) else one for one in _listed(sources)]
    return next((task for version in versions if (task := _task_of(spec, version)) is not None), None)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
