"""What is registered, as the claims of results are held to it."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, select

from controlplane.commands.registry.evidence import split_digest
from controlplane.store.tables import DatasetVersionRow, JobRow, ModelVersionRow
from schemas.artifacts import Digest, Split


@dataclass(frozen=True)
class Registered:
    """The registry as one session reads it, behind `controlplane.kinds.kind.Registry`."""

    session: Session

    def target_modules(self, model_version: UUID) -> frozenset[str]:
        return frozenset(self._version(model_version).target_modules)

    def rank(self, model_version: UUID) -> int:
        """The rank of a registered version's update, as the job that made the version reported it."""
        made_by = self._version(model_version).job_id
        job = self.session.exec(select(JobRow).where(JobRow.id == made_by)).one()
        return int((job.result or {})["r"])

    def rows_digest(self, dataset_version: UUID, split: Split) -> Digest | None:
        dataset = self.session.exec(select(DatasetVersionRow).where(DatasetVersionRow.id == dataset_version)).one()
        return split_digest(self.session, dataset, split)

    def _version(self, model_version: UUID) -> ModelVersionRow:
        return self.session.exec(select(ModelVersionRow).where(ModelVersionRow.id == model_version)).one()
