"""What is registered, as the claims of results are held to it."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, select

from controlplane.commands.registry.evidence import split_digest
from controlplane.store.tables import DatasetVersionRow
from schemas.artifacts import Digest, Split


@dataclass(frozen=True)
class Registered:
    """The registry as one session reads it, behind `controlplane.kinds.kind.Registry`."""

    session: Session

    def rows_digest(self, dataset_version: UUID, split: Split) -> Digest | None:
        dataset = self.session.exec(select(DatasetVersionRow).where(DatasetVersionRow.id == dataset_version)).one()
        return split_digest(self.session, dataset, split)
