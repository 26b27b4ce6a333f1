"""What a result is, whatever kind of job it answers: a new dataset version, a new model version or a finding about one.

The registry registers a result by these classes, and by nothing else that its kind says.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.artifacts import ArtifactRef, DatasetRef, Digest, Fraction, Name, Reference
from schemas.base import Tolerant
from schemas.data.rows import RowSchemaName
from schemas.evidence import Finding
from schemas.model.identity import ModelIdentity
from schemas.model.references import GraphRef, ModelRef


class DatasetResult(Tolerant):
    """What every job that makes a dataset version answers."""

    OUTPUT: ClassVar[type[Reference]] = DatasetRef
    """What later stages of a pipeline are handed: the version that it made."""
    dataset: Name
    row_schema: RowSchemaName
    """What each of its rows is."""
    manifest: ArtifactRef
    digest: Digest
    rows: dict[str, int]
    """Rows per split."""
    split_digests: dict[str, Digest]
    """The digest of each split's rows, in whatever order: versions that share a split share its digest."""
    rejected: dict[str, int]
    """Rows per reason."""
    rejects: ArtifactRef | None = None
    """JSONL: where each rejected row came from, its reason, and the digest of its text (never the text)."""


class PrivacyLabel(Tolerant):
    """What a version cost its rows: recorded with the version for good."""

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    noise_multiplier: float = Field(gt=0)
    max_grad_norm: float = Field(gt=0)
    steps: int = Field(ge=1)
    sample_rate: Annotated[float, Field(gt=0, le=1)]
    accountant: str
    unit: Literal["row"] = "row"
    not_charged: tuple[str, ...]
    """What the epsilon does not cover, in words."""


class VersionResult(Tolerant):
    """What every job that makes a model version answers."""

    OUTPUT: ClassVar[type[Reference]] = ModelRef
    """What later stages of a pipeline are handed: the version that it made."""
    model: Name
    adapter: ArtifactRef
    identity: ModelIdentity
    privacy: PrivacyLabel | None = None


class GraphResult(Finding):
    """What every job that makes a version's served graph answers: the newest one is loaded by gateways."""

    graph: GraphRef
    max_abs_diff: float = Field(ge=0)
    """How far its answers lie from the trained model's at most, measured over `rows` rows. Unit: logits."""
    agreement: Fraction
    """Share of the labels, or of the tokens of greedy answers, that are the trained model's."""
    rows: int
    """Rows on which the two were compared. Unit: rows."""
