"""Which pipeline runs stand behind a fact: by what the fact is about, and by the chain of its causes."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from controlplane.store.serving_tables import DecisionRow, RolloutRow
from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import AliasHistoryRow, JobRow, PipelineRunRow
from schemas.cloudevent import OUR_PREFIX

RUN_OF: Mapping[str, Any] = {
    "run_id": lambda i: select(PipelineRunRow.id).where(PipelineRunRow.id == i),
    "job_id": lambda i: select(JobRow.run_id).where(JobRow.id == i),
    "rollout_id": lambda i: select(RolloutRow.run_id).where(RolloutRow.id == i),
    "history_id": lambda i: (
        select(RolloutRow.run_id)
        .join(DecisionRow, DecisionRow.rollout_id == RolloutRow.id)  # type: ignore[arg-type]
        .join(AliasHistoryRow, AliasHistoryRow.evidence_digest == DecisionRow.digest)  # type: ignore[arg-type]
        .where(AliasHistoryRow.id == i)
    ),
}
"""What a fact is about, and the run that made it. Only our own facts are read so: nobody else can write them."""


def runs_behind(
    session: Session, event_type: str, data: Mapping[str, Any], causationid: str | None
) -> Iterator[PipelineRunRow]:
    """Every run that led to a fact of ours, nearest first, through the facts that started those runs."""
    waiting: list[tuple[str, Mapping[str, Any], str | None]] = [(event_type, data, causationid)]
    seen: set[UUID] = set()
    while waiting:
        kind, about, cause = waiting.pop(0)
        causes = [] if cause is None else [_as_uuid(cause)]
        for run in _runs_of(session, kind, about):
            if run.id not in seen:
                seen.add(run.id)
                yield run
                causes.append(run.started_event)
        for identity in causes:
            if identity is None or identity in seen:
                continue
            seen.add(identity)
            if event := session.exec(select(EventRow).where(EventRow.id == identity)).first():
                waiting.append((event.type, event.data, event.causationid))


def _runs_of(session: Session, event_type: str, data: Mapping[str, Any]) -> Iterator[PipelineRunRow]:
    if not event_type.startswith(OUR_PREFIX):
        return
    for field, query in RUN_OF.items():
        identity = _as_uuid(data.get(field))
        for run_id in session.exec(query(identity)).all() if identity else ():
            if run_id is not None and (run := session.get(PipelineRunRow, run_id)):
                yield run


def _as_uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
