"""What a result says about things that are registered already must be what is registered."""

from collections.abc import Iterator
from uuid import UUID

from sqlmodel import Session, select

from controlplane.commands.registry.evidence import split_digest
from controlplane.domain.result import Claim
from controlplane.store.tables import DatasetVersionRow, JobRow, ModelVersionRow
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.jobs.export import ExportResult
from schemas.jobs.merge import MergeResult, MergeSpec
from schemas.jobs.train import TrainSpec


def contradiction(session: Session, spec: JobSpec, result: JobResult) -> Claim | None:
    """The first claim of a result that the registry contradicts; None: none."""
    return next((claim for claim in _claims(session, spec, result) if not claim.holds), None)


def _claims(session: Session, spec: JobSpec, result: JobResult) -> Iterator[Claim]:
    if isinstance(spec, MergeSpec) and isinstance(result, MergeResult):
        rank = sum(_rank(session, source.model_version.id) for source in spec.sources)
        yield Claim("r", result.r, result.r == rank, f"{rank}, the sum of the sources' ranks")
        modules = {
            name for source in spec.sources for name in _version(session, source.model_version.id).target_modules
        }
        yield _modules("target_modules", result.target_modules, modules)
    elif isinstance(result, ExportResult):
        modules = set(_version(session, result.model_version).target_modules)
        yield _modules("graph.target_modules", result.graph.target_modules, modules)
    elif isinstance(spec, EvaluateSpec) and isinstance(result, EvaluateResult):
        dataset = session.exec(select(DatasetVersionRow).where(DatasetVersionRow.id == spec.dataset.id)).one()
        rows = split_digest(session, dataset, spec.split)
        yield Claim("rows_digest", result.rows_digest, result.rows_digest == rows, f"{rows}, as registered")


def _modules(field: str, found: tuple[str, ...], registered: set[str]) -> Claim:
    return Claim(field, sorted(found), set(found) == registered, f"{sorted(registered)}, as registered")


def _version(session: Session, version_id: UUID) -> ModelVersionRow:
    return session.exec(select(ModelVersionRow).where(ModelVersionRow.id == version_id)).one()


def _rank(session: Session, version_id: UUID) -> int:
    """Of a version's LoRA factors: what its own job was asked for or made; 0 is a head alone."""
    job = session.exec(select(JobRow).where(JobRow.id == _version(session, version_id).job_id)).one()
    if job.kind == "merge":
        return int((job.result or {})["r"])
    spec = TrainSpec.model_validate(job.spec)
    return 0 if spec.privacy else spec.lora.r
