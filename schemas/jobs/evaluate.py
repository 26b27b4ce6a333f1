"""Evaluation: how often a version's served graph answers the rows of a dataset version right."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from schemas.artifacts import ArtifactRef, DatasetRef, Digest, Fraction, GraphRef, ModelRef, Split
from schemas.base import Strict, Tolerant
from schemas.evidence import Interval, Paired

Kind = Literal["evaluate"]


class EvaluateSpec(Strict):
    """A served graph and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    """The kind of job."""
    model_version: ModelRef = Field(examples=["sentiment@latest"])
    """What to score. In a request also `sentiment@latest`, `sentiment/3` or an id."""
    graph: GraphRef | None = None
    """What is run; null in a request: the version's latest export, put here by the control plane."""
    dataset: DatasetRef = Field(examples=["reviews@latest"])
    """What it is asked. In a request also `reviews@latest`, `reviews/3` or an id."""
    split: Split = "test"
    """Which of its rows."""
    against: ModelRef | None = Field(default=None, examples=["sentiment@champion"])
    """Another version to score on the same rows, for gates that compare; null: none. In a request also a name; an
    alias of the same model that is not set yet compares nothing."""
    against_graph: GraphRef | None = None
    """What is run of it, put here by the control plane."""
    trained_on: tuple[DatasetRef, ...] = ()
    """Dataset versions whose train rows the version learnt from, and what it is made of did: put here by the control
    plane."""
    batch_size: int = Field(default=32, ge=1, le=512)
    """Asked at once. Unit: rows."""


class ClassScore(Tolerant):
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: int = Field(ge=0)


class EvaluateResult(Tolerant):
    kind: Literal["evaluate"] = "evaluate"
    model_version: UUID
    dataset: UUID
    split: str
    graph: GraphRef
    """What was run."""
    rows_digest: Digest
    """Of the rows that were asked, in whatever order: versions of a dataset that share a split share it."""
    rows_trained_on: int = Field(ge=0)
    """Those of them whose texts the version was trained on: no gate believes what is said of them."""
    accuracy: Interval
    macro_f1: Fraction
    per_class: dict[str, ClassScore]
    outcomes: ArtifactRef
    """JSONL, a line a row: the digest of its text and label, and whether it was answered right. Never a text."""
    paired: Paired | None = None
    """Rows answered right, beside the version that the spec says `against`."""
