"""Export: a model version becomes the graph that is served, and parity with the trained model is measured."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.artifacts import ArtifactRef, Fraction
from schemas.base import Strict
from schemas.jobs.references import BaseGraphOf
from schemas.jobs.results import GraphResult
from schemas.model.forms import LowRank
from schemas.model.references import ModelRef
from schemas.model.tasks import TextGeneration

Kind = Literal["export"]


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
    base_graph: Annotated[ArtifactRef | None, BaseGraphOf("model_version")] = None
    """A graph already exported that has inputs for all that this version changes, put here by the control plane; null:
    export one."""
    parity_rows: int = Field(default=16, ge=2, le=256)
    """Texts on which PyTorch and the graph are compared. Unit: rows."""
    max_abs_diff: float = Field(default=1e-3, gt=0)
    """A greater difference between PyTorch and the graph fails the job. Unit: logits."""


class ExportResult(GraphResult):
    """Parity is measured over rows of two different lengths."""

    kind: Literal["export"] = "export"
    agreement: Fraction
    """Share of labels, or of the tokens of greedy answers, that are the same."""
    cpu_flags: tuple[str, ...] = ()
    """Instruction sets of the host where parity was measured."""
