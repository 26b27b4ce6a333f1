"""Datasets as the API shows them."""

from datetime import datetime
from uuid import UUID

from schemas.artifacts import ArtifactRef
from schemas.base import View
from schemas.data.rows import RowSchemaName


class DatasetView(View):
    name: str
    newest: int
    """The newest version's number."""
    versions: int


class DatasetVersionView(View):
    id: UUID
    dataset: str
    version: int
    row_schema: RowSchemaName
    """What each of its rows is."""
    digest: str
    """Over canonical rows, their schema, splits and resolved operators."""
    manifest: ArtifactRef
    rows: dict[str, int]
    """Rows per split."""
    rejected: dict[str, int]
    """Rows per reason."""
    rejects: ArtifactRef | None
    parent: UUID | None
    job_id: UUID
    created_at: datetime
