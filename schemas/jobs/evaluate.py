"""Evaluation: how often a version's served graph answers the rows of a dataset version right."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef, Fraction
from schemas.base import Tolerant
from schemas.evidence import FindingOnRows, Interval
from schemas.jobs.on_rows import OnRowsSpec

Kind = Literal["evaluate"]


class EvaluateSpec(OnRowsSpec):
    """A served graph and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    batch_size: int = Field(default=32, ge=1, le=512)
    """Asked at once. Unit: rows."""


class ClassScore(Tolerant):
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: int = Field(ge=0)


class EvaluateResult(FindingOnRows):
    """`paired` counts rows answered right."""

    kind: Literal["evaluate"] = "evaluate"
    accuracy: Interval
    macro_f1: Fraction
    per_class: dict[str, ClassScore]
    outcomes: ArtifactRef
    """JSONL, a line a row: the digest of its text and label, and whether it was answered right. Never a text."""
