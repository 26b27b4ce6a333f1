"""What jobs share that ask a version rows of a dataset version, and perhaps another version the same."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from schemas.artifacts import DatasetRef, Split
from schemas.base import Strict
from schemas.data.references import with_rows
from schemas.jobs.references import GraphOf, OtherThan, TrainedOn
from schemas.model.references import GraphRef, ModelRef


class OnRowsSpec(Strict):
    kind: str
    """The kind of job."""
    model_version: ModelRef = Field(examples=["sentiment@latest"])
    """Which version is asked. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    graph: Annotated[GraphRef | None, GraphOf("model_version")] = None
    """What is run; null in a request: the version's latest export, put here by the control plane."""
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """Where the rows come from: such as the version's task takes. In a request also `reviews@latest`, `reviews/3` or an
    id."""
    split: Split = "test"
    """Which of its rows."""
    against: Annotated[ModelRef | None, OtherThan("model_version")] = Field(
        default=None, examples=["sentiment@champion"]
    )
    """Another version for the same task to ask on the same rows, for gates that compare; null: none. In a request also
    a name; an alias of the same model that is not set yet compares nothing."""
    against_graph: Annotated[GraphRef | None, GraphOf("against")] = None
    """What is run of it, put here by the control plane."""
    trained_on: Annotated[tuple[DatasetRef, ...], TrainedOn("model_version")] = ()
    """Dataset versions whose train rows the version learnt from, and what it is made of did: put here by the control
    plane."""

    @field_validator("dataset")
    @classmethod
    def _its_rows_are_what_the_task_takes(cls, ref: DatasetRef, info: ValidationInfo) -> DatasetRef:
        version = info.data.get("model_version")
        return ref if version is None else with_rows(ref, version.identity.task.ROW_SCHEMAS)

    @field_validator("against")
    @classmethod
    def _it_answers_alike(cls, ref: ModelRef | None, info: ValidationInfo) -> ModelRef | None:
        version = info.data.get("model_version")
        if ref is not None and version is not None and (found := ref.identity.task.type) != version.identity.task.type:
            raise ValueError(
                f"{ref.model}/{ref.version} is a version for {found}; expected one for {version.identity.task.type}"
            )
        return ref
