"""Pipelines, their runs, triggers and what triggers answered, as they are read."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import Session, col, select

from controlplane.errors import NotFound
from controlplane.projections.names import hint
from controlplane.store.tables import PipelineRow, PipelineRunRow, TriggerEvaluationRow, TriggerRow


def find_pipeline(session: Session, name: str) -> PipelineRow:
    if (row := session.get(PipelineRow, name)) is None:
        near = hint(session, name, PipelineRow.name)
        raise NotFound(f"there is no pipeline {name!r}", field="pipeline", hint=near)
    return row


def list_pipelines(session: Session, after: str, limit: int) -> list[PipelineRow]:
    name = col(PipelineRow.name)
    return list(session.exec(select(PipelineRow).where(name > after).order_by(name).limit(limit)))


def find_run(session: Session, run_id: UUID) -> PipelineRunRow:
    if (row := session.get(PipelineRunRow, run_id)) is None:
        raise NotFound(f"there is no pipeline run {run_id}")
    return row


@dataclass(frozen=True)
class RunFilter:
    pipeline: str | None = None
    phase: str | None = None
    trigger: str | None = None


def list_runs(
    session: Session, wanted: RunFilter, before: tuple[datetime, UUID] | None, limit: int
) -> list[PipelineRunRow]:
    """Newest first."""
    query = select(PipelineRunRow)
    for column, value in (
        (PipelineRunRow.pipeline, wanted.pipeline),
        (PipelineRunRow.phase, wanted.phase),
        (PipelineRunRow.trigger, wanted.trigger),
    ):
        if value is not None:
            query = query.where(column == value)
    place = tuple_(col(PipelineRunRow.created_at), col(PipelineRunRow.id))
    if before is not None:
        query = query.where(place < before)
    newest = (col(PipelineRunRow.created_at).desc(), col(PipelineRunRow.id).desc())
    return list(session.exec(query.order_by(*newest).limit(limit)))


def find_trigger(session: Session, name: str) -> TriggerRow:
    if (row := session.get(TriggerRow, name)) is None:
        raise NotFound(f"there is no trigger {name!r}", hint=hint(session, name, TriggerRow.name))
    return row


def list_triggers(session: Session, after: str, limit: int) -> list[TriggerRow]:
    name = col(TriggerRow.name)
    return list(session.exec(select(TriggerRow).where(name > after).order_by(name).limit(limit)))


@dataclass(frozen=True)
class EvaluationFilter:
    trigger: str | None = None
    event: str | None = None
    outcome: str | None = None


def list_evaluations(
    session: Session, wanted: EvaluationFilter, below: int | None, limit: int
) -> list[TriggerEvaluationRow]:
    """Newest first."""
    query = select(TriggerEvaluationRow)
    for column, value in (
        (TriggerEvaluationRow.trigger, wanted.trigger),
        (TriggerEvaluationRow.event_id, wanted.event),
        (TriggerEvaluationRow.outcome, wanted.outcome),
    ):
        if value is not None:
            query = query.where(column == value)
    if below is not None:
        query = query.where(col(TriggerEvaluationRow.seq) < below)
    return list(session.exec(query.order_by(col(TriggerEvaluationRow.seq).desc()).limit(limit)))
