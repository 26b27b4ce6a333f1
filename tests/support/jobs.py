"""The commands on jobs, each in a unit of work of its own."""

from typing import Any
from uuid import UUID, uuid4

from sqlmodel import select

from controlplane.commands.jobs import claims, outcomes
from controlplane.commands.jobs.lifecycle import request_job
from controlplane.commands.spine.presence import keep_api_alive
from controlplane.duties.job_leases import expire_some
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import JobRow
from schemas.claims import (
    Checkpoint,
    Claim,
    ClaimRequest,
    Completion,
    Failure,
    Heartbeat,
    HeartbeatResponse,
    Progress,
    Release,
)
from schemas.jobs import JobKind, JobResult
from tests.support.builders.artifacts import artifact
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE

LEASE = 30.0


class Jobs:
    """The commands as one worker or operator uses them, on one database."""

    def __init__(self, database: Database, owner: str = "worker-1") -> None:
        self.database = database
        self.owner = owner

    def request(self, kind: JobKind = "curate", spec: dict[str, Any] | None = None, **options: Any) -> UUID:
        with self.database.begin("tester") as uow:
            return request_job(uow, kind, CURATE if spec is None else spec, **options).id

    def claim(self, *kinds: JobKind, claim_id: UUID | None = None, lease: float = LEASE) -> Claim | None:
        request = ClaimRequest(kinds=kinds or ("curate",), claim_id=claim_id or uuid4(), owner=self.owner)
        with self.database.begin(self.owner) as uow:
            return claims.claim_job(uow, request, lease)

    def claimed(self, *kinds: JobKind, lease: float = LEASE) -> Claim:
        claim = self.claim(*kinds, lease=lease)
        assert claim is not None
        return claim

    def beat(self, claim: Claim, *, step: int | None = None, **said: Any) -> HeartbeatResponse:
        if step is not None:
            said |= {
                "progress": Progress(step=step, total=10),
                "checkpoint": Checkpoint(artifact=artifact(f"checkpoint {step}"), step=step),
            }
        with self.database.begin(self.owner) as uow:
            beat = Heartbeat(attempt=claim.attempt, owner=self.owner, **said)
            return claims.heartbeat(uow, claim.job_id, beat, LEASE)

    def complete(self, claim: Claim, result: JobResult | None = None) -> JobRow:
        with self.database.begin(self.owner) as uow:
            completion = Completion(attempt=claim.attempt, owner=self.owner, result=result or curated())
            return outcomes.complete_job(uow, claim.job_id, completion)

    def fail(self, claim: Claim, reason: str = "broken", *, retryable: bool = True) -> JobRow:
        with self.database.begin(self.owner) as uow:
            failure = Failure(attempt=claim.attempt, owner=self.owner, reason=reason, retryable=retryable)
            return outcomes.fail_job(uow, claim.job_id, failure)

    def release(self, claim: Claim) -> JobRow:
        with self.database.begin(self.owner) as uow:
            release = Release(attempt=claim.attempt, owner=self.owner, reason="cannot")
            return outcomes.release_job(uow, claim.job_id, release)

    def cancel(self, job_id: UUID) -> JobRow:
        with self.database.begin("tester") as uow:
            return outcomes.cancel_job(uow, job_id)

    def expire(self, lease: float = 0.0) -> int:
        """As the reconciler does, with an API that has just said that it lives."""
        with self.database.begin("api") as uow:
            keep_api_alive(uow, "api/1", LEASE)
        with self.database.begin("reconciler") as uow:
            return expire_some(uow, lease)

    def get(self, job_id: UUID) -> JobRow:
        with self.database.read() as session:
            return session.exec(select(JobRow).where(JobRow.id == job_id)).one()

    def facts(self) -> list[EventRow]:
        with self.database.read() as session:
            return list(session.exec(select(EventRow).order_by(EventRow.seq)))  # type: ignore[arg-type]

    def types(self) -> list[str]:
        """The types of the facts, in order, without what they have in common: `job.requested`."""
        return [fact.type.removeprefix("dev.graftwork.").removesuffix(".v1") for fact in self.facts()]
