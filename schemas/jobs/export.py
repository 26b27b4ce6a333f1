"""Export: a model version becomes the graph that is served, and parity with the trained model is measured."""

import sys
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from schemas.artifacts import ArtifactRef, Fraction
from schemas.base import Strict
from schemas.jobs.references import BaseGraphOf
from schemas.jobs.results import GraphResult
from schemas.model.forms import LowRank
from schemas.model.precision import Precision
from schemas.model.references import ModelRef
from schemas.model.tasks import TextGeneration

Kind = Literal["export"]
_MAX_ABS_DIFF: Final[Mapping[Precision, float]] = {"fp32": 1e-3, "int4": sys.float_info.max}
"""Unless a spec says otherwise. How far weights of 4 bits move logits is the base's own. Unit: logits."""


def _has_a_graph(ref: ModelRef) -> ModelRef:
    """ValueError: no served graph is made of such a version."""
    identity = ref.identity
    if isinstance(identity.task, TextGeneration) and not isinstance(identity.form, LowRank):
        raise ValueError(
            f"{ref.model}/{ref.version} has form `{identity.form.type}`: expected `low_rank`, which alone is served "
            f"for {identity.task.type}"
        )
    return ref


class ExportSpec(Strict):
    """A model version in, its served graph out."""

    kind: Literal["export"] = "export"
    """The kind of job."""
    model_version: Annotated[ModelRef, AfterValidator(_has_a_graph)] = Field(examples=["sentiment@latest"])
    """What to export. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    precision: Precision = "fp32"
    """How the graph keeps the base's weights. `int4` is for text generation only: a smaller graph, whose answers are
    not always the trained model's. What the version adds to its base stays in fp32."""
    base_graph: Annotated[ArtifactRef | None, BaseGraphOf("model_version", "precision")] = None
    """A graph already exported that has inputs for all that this version changes, put here by the control plane; null:
    export one."""
    parity_rows: int = Field(default=16, ge=2, le=256)
    """Texts on which PyTorch and the graph are compared. Unit: rows."""
    max_abs_diff: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """A greater difference between PyTorch and the graph fails the job; null: 0.001 in fp32, and any in int4. Unit:
    logits."""
    min_agreement: Fraction = 0.2
    """The job fails if a smaller share of the graph's labels, or of the tokens of its greedy answers, is PyTorch's. The
    prompts are random, where a base is least sure: a parity gate asks what a deployment needs. Unit: fraction."""

    @property
    def allowed_abs_diff(self) -> float:
        """The greatest difference that does not fail the job."""
        return _MAX_ABS_DIFF[self.precision] if self.max_abs_diff is None else self.max_abs_diff

    @field_validator("precision")
    @classmethod
    def _its_task_is_served_in_it(cls, precision: Precision, info: ValidationInfo) -> Precision:
        ref: ModelRef | None = info.data.get("model_version")
        if ref is not None and precision not in (served := ref.identity.task.PRECISIONS):
            raise ValueError(
                f"{ref.model}/{ref.version} in {precision}: expected {' or '.join(served)} for {ref.identity.task.type}"
            )
        return precision


class ExportResult(GraphResult):
    """Parity is measured over rows of two different lengths."""

    kind: Literal["export"] = "export"
    cpu_flags: tuple[str, ...] = ()
    """Instruction sets of the host where parity was measured."""
