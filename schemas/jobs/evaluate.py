"""Evaluation: how well a version answers the rows of a dataset version."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef
from schemas.evidence import FindingOnRows
from schemas.jobs.on_rows import OnRowsSpec

Kind = Literal["evaluate"]


class EvaluateSpec(OnRowsSpec):
    """A version and a dataset version's split in, scores out."""

    kind: Literal["evaluate"] = "evaluate"
    batch_size: int = Field(default=32, ge=1, le=512)
    """Asked at once. Unit: rows."""
    max_new_tokens: int = Field(default=64, ge=1, le=4096)
    """An answer of a text-generation ends here at the latest. Unit: tokens."""


class EvaluateResult(FindingOnRows):
    """For text-classification accuracy and macro-F1 of all rows, and precision, recall and F1 of each label that the
    version knows. For text-generation how near greedy answers come to the completions, and how likely these are."""

    kind: Literal["evaluate"] = "evaluate"
    outcomes: ArtifactRef
    """JSONL, a line a row: its digest, and what was found of its answer. Never a text."""
