"""What a dataset version is: the JSON document that its manifest artifact holds."""

from uuid import UUID

from pydantic import Field, JsonValue

from schemas.artifacts import ArtifactRef, Digest, Split
from schemas.base import Strict, Tolerant
from schemas.data.rows import RowSchemaName


class DatasetPart(Strict):
    """One Parquet part of a dataset version."""

    split: Split
    row_schema: RowSchemaName
    rows: int = Field(ge=0)
    artifact: ArtifactRef


class DatasetManifest(Tolerant):
    """A dataset version: its parts, and what chose their rows."""

    digest: Digest
    """Over everything here but the parts' bytes: row schema, labels, operators, and the canonical rows by split."""
    row_schema: RowSchemaName
    """What each of its rows is."""
    columns: dict[str, str]
    """Column name to Arrow type, as each part has them."""
    labels: tuple[str, ...]
    """In the order of a model's classes."""
    parts: tuple[DatasetPart, ...]
    parent: UUID | None = None
    operators: tuple[dict[str, JsonValue], ...]
    """The operators in order, each with its version and the settings that are not its defaults."""
