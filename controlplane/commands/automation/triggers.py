"""Triggers answer every event that they listen to, once, and every answer is kept with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, delete, func, select, update

from controlplane.commands.automation.pipelines import REFUSALS, RunRequest, start_run
from controlplane.commands.spine.revisions import keep_revision
from controlplane.domain.document import json_bytes
from controlplane.domain.pipeline import with_params
from controlplane.domain.trigger import (
    DAY,
    WAITING,
    Answer,
    Pace,
    Refusal,
    check_trigger,
    match,
    pace_refusal,
    with_deferred,
)
from controlplane.errors import NotFound
from controlplane.projections.causation import runs_behind
from controlplane.projections.names import hint
from controlplane.projections.pipelines import find_pipeline
from controlplane.store.insert import insert_once
from controlplane.store.tables import TriggerEvaluationRow, TriggerRow
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import OUR_PREFIX
from schemas.pipelines import PipelineSpec, TriggerSpec


@dataclass(frozen=True)
class Incoming:
    """An event as triggers see it, somebody else's or a fact of ours."""

    document: Mapping[str, Any]
    """Its attributes, and its data as `data`."""
    causationid: str | None = None

    @property
    def source(self) -> str:
        return str(self.document["source"])

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def type(self) -> str:
        return str(self.document["type"])

    @property
    def is_ours(self) -> bool:
        return self.type.startswith(OUR_PREFIX)


@dataclass(frozen=True)
class Evaluation:
    """One trigger's recorded answer; `spec` is None when no trigger listens to that type."""

    spec: TriggerSpec | None
    answer: Answer
    row: TriggerEvaluationRow
    document: Mapping[str, Any] = field(default_factory=dict)
    """The event as the trigger saw it, with what its cooldown has held back before."""


def put_trigger(uow: UnitOfWork, spec: TriggerSpec, reason: str | None = None) -> TriggerRow:
    """The same again changes nothing."""
    check_trigger(spec, PipelineSpec.model_validate(find_pipeline(uow.session, spec.pipeline).spec))
    document = spec.model_dump(mode="json")
    json_bytes(document, "body")
    insert_once(uow, TriggerRow(name=spec.name, spec={}, updated_at=uow.now(), updated_by=uow.actor))
    query = select(TriggerRow).where(TriggerRow.name == spec.name).with_for_update()
    row = uow.session.exec(query, execution_options={"populate_existing": True}).one()
    if row.spec != document:
        row.revision = keep_revision(uow, "trigger", spec.name, document, reason)
        row.spec, row.updated_at, row.updated_by = document, uow.now(), uow.actor
        uow.session.flush()
    return row


def delete_trigger(uow: UnitOfWork, name: str, reason: str | None = None) -> None:
    """Its evaluations and its history stay: the same dedupe key does not fire again under the same name."""
    if not uow.execute(delete(TriggerRow).where(col(TriggerRow.name) == name)):
        raise NotFound(f"there is no trigger {name!r}", hint=hint(uow.session, name, TriggerRow.name))
    keep_revision(uow, "trigger", name, None, reason)


def ask_triggers(uow: UnitOfWork, incoming: Incoming) -> list[Evaluation]:
    """The recorded answer of every trigger that listens to the event's type. Nothing starts yet: `let_fire` does."""
    evaluations = []
    for spec in _listeners(uow, incoming.type):
        seen = replace(incoming, document=with_deferred(incoming.document, _held_back(uow, spec.name)))
        evaluations.append(_keep(uow, spec, seen, _judge(uow, spec, seen)))
    return evaluations


def listened_types(session: Session) -> frozenset[str]:
    """Whatever any trigger listens to, enabled or not: that one is disabled is an answer too."""
    specs = [TriggerSpec.model_validate(spec) for spec in session.exec(select(TriggerRow.spec))]
    return frozenset(name for spec in specs for name in spec.types)


def note_unmatched(uow: UnitOfWork, incoming: Incoming) -> Evaluation:
    """Nobody listens to that type: no error, and recorded so."""
    answer = Answer(
        "no_trigger_matched",
        f"no trigger listens to the type {incoming.type!r}; add it to a trigger's `types`, or correct the event",
    )
    row = _row(uow, None, incoming, answer)
    insert_once(uow, row)
    return Evaluation(None, answer, row)


def let_fire(uow: UnitOfWork, evaluations: list[Evaluation], cause: Cause) -> list[TriggerEvaluationRow]:
    """Start the runs of those that fired, and give those that wait their cause; answers all evaluations."""
    for one in evaluations:
        if one.spec is not None and one.row.outcome == "fired":
            _fire(uow, one.spec, one.row, _run_request(one.spec, one.answer, one.document, cause))
        elif one.row.outcome in WAITING:
            kept = {"document": dict(one.document), "cause": [cause.correlationid, cause.causationid]}
            _set(uow, one.row, event=kept)
    return [one.row for one in evaluations]


def fire_due(uow: UnitOfWork, seq: int) -> None:
    """Fire one evaluation that was waiting, unless something has come between. Twice is once."""
    name = uow.session.exec(select(TriggerEvaluationRow.trigger).where(TriggerEvaluationRow.seq == seq)).first()
    spec = next(iter(_locked(uow, [name or ""])), None)
    query = select(TriggerEvaluationRow).where(
        TriggerEvaluationRow.seq == seq, col(TriggerEvaluationRow.outcome).in_(WAITING)
    )
    row = uow.session.exec(query.with_for_update(), execution_options={"populate_existing": True}).first()
    if row is None or row.event is None or row.due_at is None or row.due_at > uow.now():
        return
    document, (correlationid, causationid) = row.event["document"], row.event["cause"]
    uow.session.expunge(row)
    if spec is None:
        return _set(
            uow,
            row,
            outcome="disabled",
            reason="the trigger was deleted while this waited; apply one again, and send the event again",
            due_at=None,
            event=None,
        )
    answer = match(spec.model_copy(update={"debounce_seconds": 0.0}), document)
    if answer.outcome == "fired":
        answer = _impossible(uow, spec, answer) or pace_refusal(spec, _pace(uow, spec.name)) or answer
    if isinstance(answer, Refusal) and answer.until:
        return _defer(uow, spec, row, answer)
    _set(uow, row, outcome=answer.outcome, reason=answer.reason, due_at=None, event=None, at=uow.now())
    if answer.outcome == "fired":
        _fire(uow, spec, row, _run_request(spec, answer, document, Cause(correlationid, causationid)))


# --- one answer -------------------------------------------------------------------------------------------------------


def _listeners(uow: UnitOfWork, event_type: str) -> list[TriggerSpec]:
    specs = [TriggerSpec.model_validate(spec) for spec in uow.session.exec(select(TriggerRow.spec))]
    names = [spec.name for spec in specs if event_type in spec.types]
    return [spec for spec in _locked(uow, names) if event_type in spec.types] if names else []


def _locked(uow: UnitOfWork, names: list[str]) -> list[TriggerSpec]:
    """By name, each locked until the transaction ends: cooldown and budget count what others fire at the same time."""
    query = select(TriggerRow).where(col(TriggerRow.name).in_(names)).order_by(col(TriggerRow.name)).with_for_update()
    rows = uow.session.exec(query, execution_options={"populate_existing": True})
    return [TriggerSpec.model_validate(row.spec) for row in rows]


def _judge(uow: UnitOfWork, spec: TriggerSpec, incoming: Incoming) -> Answer:
    answer = match(spec, incoming.document)
    if answer.outcome not in ("fired", "debouncing"):
        return answer
    return _loop(uow, spec, incoming) or _impossible(uow, spec, answer) or answer


def _loop(uow: UnitOfWork, spec: TriggerSpec, incoming: Incoming) -> Answer | None:
    """Only facts of ours have causes: outsiders cannot set them, so they can neither make a loop nor feign one."""
    if not incoming.is_ours:
        return None
    data = incoming.document.get("data") or {}
    for run in runs_behind(uow.session, incoming.type, data, incoming.causationid):
        if run.trigger == spec.name:
            return Answer(
                "loop",
                f"the fact was caused by run {run.id}, which this trigger started; "
                "narrow the trigger's `types` or `where`",
            )
    return None


def _impossible(uow: UnitOfWork, spec: TriggerSpec, answer: Answer) -> Answer | None:
    """The pipeline may have changed since the trigger was checked against it."""
    try:
        with_params(PipelineSpec.model_validate(find_pipeline(uow.session, spec.pipeline).spec), answer.params)
    except REFUSALS as error:
        return Answer("invalid", error.detail)
    return None


def _keep(uow: UnitOfWork, spec: TriggerSpec, incoming: Incoming, answer: Answer) -> Evaluation:
    """The unique index, not a look beforehand, says whether a key has fired."""
    pace = _pace(uow, spec.name)
    row = _row(uow, spec, incoming, answer)
    if not insert_once(uow, row):
        row.outcome, row.due_at = "duplicate", None
        row.reason = (
            f"the dedupe key {answer.dedupe_key!r} has fired already; "
            "for another run send an event with another key, or start the pipeline by hand"
        )
        insert_once(uow, row)
    elif row.outcome == "fired" and (refusal := pace_refusal(spec, pace)):
        _refuse(uow, spec, row, refusal)
    elif row.outcome in ("fired", *WAITING):
        _supersede(uow, spec, row)
    return Evaluation(spec, answer, row, incoming.document)


def _refuse(uow: UnitOfWork, spec: TriggerSpec, row: TriggerEvaluationRow, refusal: Refusal) -> None:
    if refusal.until:
        _defer(uow, spec, row, refusal)
    else:
        _set(uow, row, outcome=refusal.outcome, reason=refusal.reason)


def _defer(uow: UnitOfWork, spec: TriggerSpec, row: TriggerEvaluationRow, refusal: Refusal) -> None:
    """It waits for the end of the cooldown, in the place of whatever waited before."""
    _set(uow, row, outcome=refusal.outcome, reason=refusal.reason, due_at=refusal.until)
    _supersede(uow, spec, row)


def _held_back(uow: UnitOfWork, trigger: str) -> dict[str, Any] | None:
    """The event that waits for a later one or for the end of the cooldown: there is one at most."""
    query = select(TriggerEvaluationRow.event).where(
        TriggerEvaluationRow.trigger == trigger,
        col(TriggerEvaluationRow.outcome).in_(WAITING),
    )
    kept = uow.session.exec(query.order_by(col(TriggerEvaluationRow.seq).desc())).first()
    return kept["document"] if kept else None


def _row(uow: UnitOfWork, spec: TriggerSpec | None, incoming: Incoming, answer: Answer) -> TriggerEvaluationRow:
    now = uow.now()
    waits = spec is not None and answer.outcome == "debouncing"
    return TriggerEvaluationRow(
        trigger=spec.name if spec else None,
        source=incoming.source,
        event_id=incoming.id,
        event_type=incoming.type,
        outcome=answer.outcome,
        reason=answer.reason,
        dedupe_key=answer.dedupe_key,
        due_at=now + timedelta(seconds=spec.debounce_seconds) if spec and waits else None,
        at=now,
    )


def _supersede(uow: UnitOfWork, spec: TriggerSpec, by: TriggerEvaluationRow) -> None:
    """The last match fires; the ones that waited before it do not, and their keys are free again."""
    uow.execute(
        update(TriggerEvaluationRow)
        .where(
            col(TriggerEvaluationRow.trigger) == spec.name,
            col(TriggerEvaluationRow.outcome).in_(WAITING),
            col(TriggerEvaluationRow.seq) != by.seq,
        )
        .values(
            outcome="superseded",
            reason=f"event {by.event_id!r} came while it waited, and fires for both; nothing is to be done",
            due_at=None,
            event=None,
        )
        .execution_options(synchronize_session=False)
    )


def _pace(uow: UnitOfWork, trigger: str) -> Pace:
    fired = select(func.max(TriggerEvaluationRow.at)).where(
        TriggerEvaluationRow.trigger == trigger, TriggerEvaluationRow.outcome == "fired"
    )
    now = uow.now()
    recent = select(func.count()).where(
        TriggerEvaluationRow.trigger == trigger,
        TriggerEvaluationRow.outcome == "fired",
        TriggerEvaluationRow.at > now - DAY,
    )
    return Pace(now, uow.session.exec(fired).one(), uow.session.exec(recent).one())


def _run_request(spec: TriggerSpec, answer: Answer, document: Mapping[str, Any], cause: Cause) -> RunRequest:
    return RunRequest(
        pipeline=spec.pipeline,
        params=answer.params,
        actor=f"event:{document['source']}",
        cause=cause,
        trigger=spec.name,
        event=document,
    )


def _fire(uow: UnitOfWork, spec: TriggerSpec, row: TriggerEvaluationRow, request: RunRequest) -> None:
    run = start_run(uow, request)
    _set(uow, row, run_id=run.id, reason=f"started run {run.id} of pipeline {spec.pipeline!r}")


def _set(uow: UnitOfWork, row: TriggerEvaluationRow, **values: Any) -> None:
    """Change an evaluation in the table and in our hands; it is never in the session."""
    uow.execute(
        update(TriggerEvaluationRow)
        .where(col(TriggerEvaluationRow.seq) == row.seq)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    for name, value in values.items():
        setattr(row, name, value)
