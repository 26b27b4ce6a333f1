"""Does a result answer the spec that its job was given?"""

from pydantic import BaseModel

from schemas.jobs import AttackSpec, CurateSpec, EvaluateSpec, ExportSpec, JobResult, JobSpec, MergeSpec, TrainSpec


def mismatch(spec: JobSpec, result: JobResult) -> tuple[str, object, object] | None:
    """(field, expected, found) of the first difference between what was asked for and what was answered; None: none."""
    for field, expected in _expected(spec).items():
        found = getattr(result, field, None)
        if found != expected:
            return field, expected, found
    return None


def _expected(spec: BaseModel) -> dict[str, object]:
    match spec:
        case CurateSpec():
            return {"kind": spec.kind, "dataset": spec.dataset}
        case TrainSpec():
            private = {} if spec.privacy else {"privacy": None}
            return {
                "kind": spec.kind,
                "model": spec.model,
                "base_model": spec.base_model,
                "feature_recipe": spec.feature_recipe,
                **private,
            }
        case MergeSpec():
            base = spec.sources[0].model_version
            return {"kind": spec.kind, "model": spec.model, "base_digest": base.base_digest}
        case ExportSpec():
            return {"kind": spec.kind, "model_version": spec.model_version.id}
        case EvaluateSpec():
            of = {"model_version": spec.model_version.id, "dataset": spec.dataset.id}
            return {"kind": spec.kind, "split": spec.split, **of}
        case AttackSpec():
            of = {"model_version": spec.model_version.id, "dataset": spec.dataset.id}
            return {"kind": spec.kind, "recipe": spec.recipe, **of}
    raise TypeError(f"no such spec: {type(spec).__name__}")
