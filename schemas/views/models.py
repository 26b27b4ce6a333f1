"""Models and their versions as the API shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue

from schemas.artifacts import ArtifactRef
from schemas.base import View
from schemas.jobs.results import PrivacyLabel
from schemas.model.identity import ModelIdentity


class ModelView(View):
    name: str
    created_at: datetime
    versions: int
    """The newest version's number."""
    aliases: dict[str, int]
    """Alias to version number."""


class VersionView(View):
    id: UUID
    model: str
    version: int
    adapter: ArtifactRef
    identity: ModelIdentity
    privacy: PrivacyLabel | None
    job_id: UUID
    created_at: datetime
    created_by: str


class AttachmentView(View):
    id: UUID
    kind: str
    digest: str
    data: dict[str, JsonValue]
    dataset_version_id: UUID | None
    job_id: UUID
    created_at: datetime


class Ancestor(View):
    """A version that this one was made of."""

    id: UUID
    name: str
    version: int
    digest: str
    job_id: UUID


class LineageView(View):
    parents: list[UUID]
    datasets: list[UUID]
    """The dataset versions that this version itself learnt from; those of its parents are in `dataset_versions`."""
    model_versions: list[Ancestor]
    dataset_versions: list[Ancestor]


class VersionDetail(VersionView):
    aliases: list[str]
    attachments: list[AttachmentView]
    lineage: LineageView
