"""What jobs share that ask a version's served graph rows of a dataset version, and perhaps another version the same."""

from typing import Annotated

from pydantic import Field

from schemas.artifacts import DatasetRef, Split
from schemas.base import Strict
from schemas.data.references import TextLabelRef
from schemas.jobs.references import GraphOf, OtherThan, TrainedOn
from schemas.model.references import ClassifierRef, GraphRef


class OnRowsSpec(Strict):
    kind: str
    """The kind of job."""
    model_version: ClassifierRef = Field(examples=["sentiment@latest"])
    """Which version is asked. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    graph: Annotated[GraphRef | None, GraphOf("model_version")] = None
    """What is run; null in a request: the version's latest export, put here by the control plane."""
    dataset: TextLabelRef = Field(examples=["reviews@latest"])
    """Where the rows come from. In a request also `reviews@latest`, `reviews/3` or an id."""
    split: Split = "test"
    """Which of its rows."""
    against: Annotated[ClassifierRef | None, OtherThan("model_version")] = Field(
        default=None, examples=["sentiment@champion"]
    )
    """Another version to ask on the same rows, for gates that compare; null: none. In a request also a name; an alias
    of the same model that is not set yet compares nothing."""
    against_graph: Annotated[GraphRef | None, GraphOf("against")] = None
    """What is run of it, put here by the control plane."""
    trained_on: Annotated[tuple[DatasetRef, ...], TrainedOn("model_version")] = ()
    """Dataset versions whose train rows the version learnt from, and what it is made of did: put here by the control
    plane."""
