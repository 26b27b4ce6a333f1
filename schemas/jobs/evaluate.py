"""Evaluation: how often a version's served graph answers the rows of a dataset version right."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef
from schemas.evidence import FindingOnRows
from schemas.jobs.on_rows import OnRowsSpec

Kind = Literal["evaluate"]


class EvaluateSpec(OnRowsSpec):
    """A served graph and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    batch_size: int = Field(default=32, ge=1, le=512)
    """Asked at once. Unit: rows."""


class EvaluateResult(FindingOnRows):
    """Accuracy and macro-F1 of all rows, and precision, recall and F1 of each label that the version knows."""

    kind: Literal["evaluate"] = "evaluate"
    outcomes: ArtifactRef
    """JSONL, a line a row: the digest of its text and label, and whether it was answered right. Never a text."""
