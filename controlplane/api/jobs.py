"""Jobs over HTTP: operators ask for them, workers do them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from controlplane.api.identities import JobId
from controlplane.api.pages import Cursor, Limit, as_id, decode_cursor, encode_cursor
from controlplane.api.request_context import Operator, Viewer, Worker
from controlplane.commands.jobs import claims, outcomes, reports
from controlplane.commands.jobs.lifecycle import request_job, retry_job
from controlplane.projections.identities import identify
from controlplane.projections.jobs import JobFilter, find_job, list_jobs, list_logs, read_curves
from controlplane.store.tables import JobLogRow, JobRow, PipelineRunRow
from schemas.claims import ClaimRequest, ClaimResponse, Completion, Failure, Heartbeat, HeartbeatResponse, Release
from schemas.jobs import JobKind
from schemas.phases import JobPhase
from schemas.problem import refusals
from schemas.views.jobs import JobCurves, JobRequest, JobView, LogLine
from schemas.views.pages import Page

router = APIRouter(tags=["jobs"])


def view(row: JobRow) -> JobView:
    return JobView.model_validate(row, from_attributes=True)


@router.post("/v1/jobs", status_code=201, response_model=JobView, responses=refusals(404, 409))
def post_job(body: JobRequest, call: Operator) -> Response:
    """Ask for a job. Names in the spec (`reviews@latest`, `sentiment@champion`) are resolved now."""
    return call.write(
        lambda uow: view(request_job(uow, body.kind, body.spec, max_attempts=body.max_attempts)), status=201
    )


@router.get("/v1/jobs")
def get_jobs(
    call: Viewer,
    phase: JobPhase | None = None,
    kind: JobKind | None = None,
    run: Annotated[str | None, Query(max_length=36)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[JobView]:
    """Newest first; `run` is a pipeline run's id, or its beginning."""
    position = decode_cursor(cursor, int, str)
    before = (int(position[0]), as_id(str(position[1]))) if position else None
    with call.read() as session:
        asked = identify(session, PipelineRunRow, "pipeline run", run) if run else None
        rows = list_jobs(session, JobFilter(phase, kind, asked), before, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=[view(row) for row in rows[:limit]], next=encode_cursor(last.created_seq, str(last.id)) if last else None
    )


@router.get("/v1/jobs/{job_id:segment}", responses=refusals(404))
def get_job(call: Viewer, job_id: JobId) -> JobView:
    with call.read() as session:
        return view(find_job(session, job_id))


@router.get("/v1/jobs/{job_id:segment}/logs", responses=refusals(404))
def get_logs(
    call: Viewer,
    job_id: JobId,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> list[LogLine]:
    """Lines after a seq, oldest first; the next page is after the last one's seq."""
    with call.read() as session:
        return [_log_line(row) for row in list_logs(session, job_id, after, limit)]


@router.get("/v1/jobs/{job_id:segment}/curves", responses=refusals(404))
def get_curves(call: Viewer, job_id: JobId) -> JobCurves:
    """What it measured as it went, such as its loss, by step. A private job has none, and the note says so."""
    with call.read() as session:
        note = reports.PRIVATE if reports.is_private(session, job_id) else None
        return JobCurves(curves=read_curves(session, job_id), note=note)


@router.post("/v1/jobs/{job_id:segment}:cancel", response_model=JobView, responses=refusals(404, 409))
def post_cancel(call: Operator, job_id: JobId) -> Response:
    """Pending: cancelled at once. Running: `cancel_requested`, until its worker confirms or goes silent."""
    return call.write(lambda uow: view(outcomes.cancel_job(uow, job_id)))


@router.post("/v1/jobs/{job_id:segment}:retry", status_code=201, response_model=JobView, responses=refusals(404, 409))
def post_retry(call: Operator, job_id: JobId) -> Response:
    """A new job by the spec of one that failed or was cancelled, on its journey; a pipeline run stays as it is."""
    return call.write(lambda uow: view(retry_job(uow, job_id)), status=201)


# --- workers ----------------------------------------------------------------------------------------------------------


@router.post("/v1/jobs:claim", response_model=ClaimResponse)
def post_claim(body: ClaimRequest, call: Worker) -> Response | ClaimResponse:
    """The oldest job of those kinds, under a lease; `claim: null` when there is none, which costs no write lock."""
    with call.read() as session:
        if not claims.find_work(session, body):
            return ClaimResponse()
    lease = call.site.settings.job_lease_seconds
    return call.write(lambda uow: ClaimResponse(claim=claims.claim_job(uow, body, lease)))


@router.post("/v1/jobs/{job_id:segment}:heartbeat", response_model=HeartbeatResponse, responses=refusals(404, 409))
def post_heartbeat(job_id: UUID, body: Heartbeat, call: Worker) -> Response:
    """409 when the attempt is over: its worker kills it."""
    lease = call.site.settings.job_lease_seconds
    return call.write(lambda uow: claims.heartbeat(uow, job_id, body, lease))


@router.post("/v1/jobs/{job_id:segment}:complete", response_model=JobView, responses=refusals(404, 409))
def post_complete(job_id: UUID, body: Completion, call: Worker) -> Response:
    """A repeat by the attempt that completed gets 200 and the stored result; any other attempt 409."""
    return call.write(lambda uow: view(outcomes.complete_job(uow, job_id, body)))


@router.post("/v1/jobs/{job_id:segment}:fail", response_model=JobView, responses=refusals(404, 409))
def post_fail(job_id: UUID, body: Failure, call: Worker) -> Response:
    return call.write(lambda uow: view(outcomes.fail_job(uow, job_id, body)))


@router.post("/v1/jobs/{job_id:segment}:release", response_model=JobView, responses=refusals(404, 409))
def post_release(job_id: UUID, body: Release, call: Worker) -> Response:
    """Hand it back with no attempt counted."""
    return call.write(lambda uow: view(outcomes.release_job(uow, job_id, body)))


def _log_line(row: JobLogRow) -> LogLine:
    return LogLine.model_validate(row, from_attributes=True)
