"""Pipelines are kept, and their runs go on in the transaction of whatever finished."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select

from controlplane.commands.jobs.lifecycle import OfRun, lock_job, request_job, stop_job
from controlplane.commands.rollouts import operations
from controlplane.commands.serving.generations import lock_deployment
from controlplane.commands.spine.revisions import keep_revision
from controlplane.domain.document import json_bytes
from controlplane.domain.pipeline import (
    Action,
    EndStage,
    FinishRun,
    Release,
    RequestJob,
    Run,
    StageState,
    check_pipeline,
    deployments_after,
    new_stages,
    next_jobs,
    with_params,
)
from controlplane.errors import Conflict, Invalid, NotFound
from controlplane.projections.models import find_version
from controlplane.projections.pipelines import find_pipeline
from controlplane.store.insert import insert_once
from controlplane.store.serving_tables import RolloutRow
from controlplane.store.tables import JobRow, PipelineRow, PipelineRunRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.facts import PipelineRunFinished, PipelineRunStarted
from schemas.phases import FINAL_STAGE_PHASES, StagePhase
from schemas.pipelines import PipelineSpec

REFUSALS = (Invalid, NotFound, Conflict)
"""What a stage's own spec can be wrong about; anything else is a fault of ours and undoes the transaction."""


@dataclass(frozen=True)
class RunRequest:
    pipeline: str
    params: Mapping[str, Any]
    actor: str
    cause: Cause | None = None
    """None: the run begins a journey."""
    trigger: str | None = None
    event: Mapping[str, Any] | None = None


def put_pipeline(uow: UnitOfWork, spec: PipelineSpec, reason: str | None = None) -> PipelineRow:
    """Keep a pipeline; runs that have begun go on by the spec that they began with. The same again changes nothing."""
    check_pipeline(spec)
    insert_once(uow, PipelineRow(name=spec.name, spec={}, updated_at=uow.now(), updated_by=uow.actor))
    query = select(PipelineRow).where(PipelineRow.name == spec.name).with_for_update()
    row = uow.session.exec(query, execution_options={"populate_existing": True}).one()
    if row.spec != (document := spec.model_dump(mode="json")):
        row.revision = keep_revision(uow, "pipeline", spec.name, document, reason)
        row.spec, row.updated_at, row.updated_by = document, uow.now(), uow.actor
        uow.session.flush()
    return row


def start_run(uow: UnitOfWork, request: RunRequest) -> PipelineRunRow:
    """Begin a run and request its first jobs. A stage that cannot be requested fails the run, with its reason.

    Raises NotFound for the pipeline and Invalid for params that it does not declare.
    """
    spec = PipelineSpec.model_validate(find_pipeline(uow.session, request.pipeline).spec)
    params = with_params(spec, request.params)
    json_bytes(params, "params")
    run_id = uuid4()
    cause = request.cause or Cause(str(run_id))
    fact = PipelineRunStarted(run_id=run_id, pipeline=spec.name, trigger=request.trigger, actor=request.actor)
    row = PipelineRunRow(
        id=run_id,
        pipeline=spec.name,
        spec=spec.model_dump(mode="json"),
        params=params,
        event=None if request.event is None else dict(request.event),
        stages={name: state.to_document() for name, state in new_stages(spec).items()},
        trigger=request.trigger,
        actor=request.actor,
        correlationid=cause.correlationid,
        started_event=uow.record(fact, f"pipeline-run/{run_id}", cause),
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    _advance(uow, row, _load(row))
    return row


def job_finished(uow: UnitOfWork, job: JobRow) -> None:
    """A job of a run is final: its stage is over, and what follows from that begins. A repeat changes nothing."""
    if job.run_id is None or job.stage is None:
        return
    _lock_deployments(uow, job.run_id, job.stage)
    row = _lock_run(uow, job.run_id)
    run = _load(row)
    state = run.stages[job.stage]
    if state.job_id != str(job.id) or state.phase in FINAL_STAGE_PHASES:
        return
    _advance(uow, row, run.with_stage(job.stage, _ended(state, job)))


def rollout_finished(uow: UnitOfWork, rollout: RolloutRow) -> None:
    """A rollout of a run is final. What one that ended while it was being started leads to, `_release` has seen."""
    if rollout.run_id is None:
        return
    row = _lock_run(uow, rollout.run_id)
    run = _load(row)
    for name, state in run.stages.items():
        if state.rollout_id == str(rollout.id) and state.phase not in FINAL_STAGE_PHASES:
            _advance(uow, row, run.with_stage(name, _released(state, rollout)))
            return


def cancel_run(uow: UnitOfWork, run_id: UUID, reason: str) -> PipelineRunRow:
    """Cancel the run's jobs and start no more. It ends when they have; a rollout that it started goes on to its end."""
    unfinished = select(JobRow.id).where(JobRow.run_id == run_id, col(JobRow.phase).in_(("Pending", "Running")))
    for job_id in uow.session.exec(unfinished.order_by(col(JobRow.id))).all():
        lock_job(uow, job_id)  # before the run, as completions lock them
    row = _lock_run(uow, run_id)
    if row.phase != "Running":
        raise Conflict(f"run {run_id} is {row.phase}: there is nothing to cancel")
    row.cancel_requested = row.cancel_requested or f"cancelled by {uow.actor}: {reason}"
    run = _load(row)
    for job_id in uow.session.exec(unfinished).all():
        job = stop_job(uow, job_id)
        if job.stage is not None and job.phase == "Cancelled":
            run = run.with_stage(job.stage, _ended(run.stages[job.stage], job))
    _advance(uow, row, run)
    return row


# --- one step after another -------------------------------------------------------------------------------------------


def _lock_deployments(uow: UnitOfWork, run_id: UUID, stage: str) -> None:
    """Those that the end of this stage may release to, before the run: a rollout that ends locks them in that order."""
    run = uow.session.get(PipelineRunRow, run_id)
    for deployment in deployments_after(_load(run), stage) if run else ():
        with suppress(NotFound):  # the stage says so in its own words
            lock_deployment(uow, deployment)


def _lock_run(uow: UnitOfWork, run_id: UUID) -> PipelineRunRow:
    """The run as it is now: two of its jobs that end at once come one after the other."""
    query = select(PipelineRunRow).where(PipelineRunRow.id == run_id)
    # `key_share`: a job's second UPDATE in one transaction makes PostgreSQL look its run up, which must not wait
    query = query.with_for_update(key_share=True)
    row = uow.session.exec(query, execution_options={"populate_existing": True}).one_or_none()
    if row is None:
        raise NotFound(f"there is no pipeline run {run_id}")
    return row


def _load(row: PipelineRunRow) -> Run:
    return Run(
        spec=PipelineSpec.model_validate(row.spec),
        params=row.params,
        event=row.event,
        stages={name: StageState.from_document(document) for name, document in row.stages.items()},
        cancel_requested=row.cancel_requested,
        phase=row.phase,  # type: ignore[arg-type]
    )


def _advance(uow: UnitOfWork, row: PipelineRunRow, run: Run) -> None:
    """Do what is to be done now, until nothing is, and keep the run as it stands then."""
    while actions := next_jobs(run):
        for action in actions:
            run = _do(uow, row, run, action)
    row.stages = {name: state.to_document() for name, state in run.stages.items()}
    row.phase = run.phase
    row.revision += 1
    uow.session.add(row)
    uow.session.flush()


def _do(uow: UnitOfWork, row: PipelineRunRow, run: Run, action: Action) -> Run:
    match action:
        case EndStage():
            state = replace(run.stages[action.stage], phase=action.phase, reason=action.reason)
            return run.with_stage(action.stage, state)
        case FinishRun():
            row.reason = action.reason or None
            row.finished_at = uow.now()
            fact = PipelineRunFinished(run_id=row.id, pipeline=row.pipeline, phase=action.phase, reason=action.reason)
            uow.record(fact, f"pipeline-run/{row.id}", _cause(row))
            return replace(run, phase=action.phase)
        case RequestJob() | Release():
            try:
                with uow.attempt(), _on_behalf_of(uow, row):
                    state = _request(uow, row, action) if isinstance(action, RequestJob) else _release(uow, row, action)
            except REFUSALS as error:
                state = StageState(phase="Failed", reason=error.in_words)
            return run.with_stage(action.stage, state)


def _request(uow: UnitOfWork, row: PipelineRunRow, action: RequestJob) -> StageState:
    job = request_job(
        uow,
        action.kind,
        action.spec,
        max_attempts=action.max_attempts,
        of_run=OfRun(row.id, action.stage),
        cause=_cause(row),
    )
    return StageState(phase="Running", job_id=str(job.id))


def _release(uow: UnitOfWork, row: PipelineRunRow, action: Release) -> StageState:
    request = operations.StartRollout(
        deployment=action.deployment,
        model_version_id=find_version(uow.session, action.model_version).id,
        reason=f"stage {action.stage!r} of run {row.id} of pipeline {row.pipeline!r}",
        pipeline=row.pipeline,
        run_id=row.id,
    )
    rollout = operations.start_rollout(uow, request)
    state = StageState(phase="Running", rollout_id=str(rollout.id), outputs={"rollout": str(rollout.id)})
    return state if rollout.finished_at is None else _released(state, rollout)


def _ended(state: StageState, job: JobRow) -> StageState:
    reason = job.reason or ("its job was cancelled" if job.phase == "Cancelled" else "")
    return replace(state, phase=job.phase, outputs=dict(job.outputs or {}), reason=reason)  # type: ignore[arg-type]


def _released(state: StageState, rollout: RolloutRow) -> StageState:
    phase: StagePhase = "Succeeded" if rollout.phase == "Promoted" else "Failed"
    return replace(state, phase=phase, reason=f"rollout {rollout.phase}: {rollout.reason}")


def _cause(row: PipelineRunRow) -> Cause:
    return Cause(row.correlationid, str(row.started_event))


@contextmanager
def _on_behalf_of(uow: UnitOfWork, row: PipelineRunRow) -> Iterator[None]:
    """Whoever finished the stage before, what the run asks for is asked for by whoever started the run."""
    actor, cause = uow.actor, uow.cause
    uow.actor, uow.cause = row.actor, _cause(row)
    try:
        yield
    finally:
        uow.actor, uow.cause = actor, cause
