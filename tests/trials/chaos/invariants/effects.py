"""Every event has its effect once, nothing good is buried, and a key gets one answer."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from controlplane.commands.automation.inbound import INBOUND_CONSUMER
from controlplane.commands.spine.cursors import FACTS
from controlplane.store.serving_tables import RollbackRow, RolloutRow
from controlplane.store.spine_tables import CursorRow, DeadLetterRow, IdempotencyRow, InboxRow, ParkedEventRow
from controlplane.store.tables import JobRow, PipelineRunRow, TriggerEvaluationRow, TriggerRow
from schemas.pipelines import TriggerSpec
from tests.trials.chaos.invariants.view import View, short

LATE: Final = timedelta(minutes=2)
"""A row's time is drawn before its commit: nobody holds a transaction for so long."""
SOON: Final = timedelta(seconds=5)
"""A trigger listens from its commit on, a little after its time."""
MADE_BY: Final[tuple[tuple[str, str, Any], ...]] = (
    ("job", "POST /v1/jobs", select(JobRow.id).where(col(JobRow.run_id).is_(None))),
    ("run", "POST /v1/pipelines/…:run", select(PipelineRunRow.id).where(col(PipelineRunRow.trigger).is_(None))),
    ("rollout", "POST /v1/rollouts", select(RolloutRow.id).where(col(RolloutRow.run_id).is_(None))),
    ("rollback", "POST /v1/deployments/…:rollback", select(RollbackRow.id)),
)
"""What only a person's request makes, by the route of that request."""


class InboundOnce:
    """An event that was accepted was received, and each trigger answered it once; each that fired has its run."""

    def __init__(self) -> None:
        self._expected: set[tuple[str, str]] = set()
        self._row = 0
        self._answered: Counter[tuple[str, str, str]] = Counter()
        self._heard: set[tuple[str, str]] = set()
        """Events that a trigger has answered, or that were noted as nobody's."""
        self._facts: list[tuple[int, str, str, datetime]] = []
        """(seq, id, type, time) of facts that a trigger may listen to and that reactions have not passed yet."""

    def judge(self, view: View) -> Iterator[str]:
        self._expected |= view.expected.events
        query = select(InboxRow.source, InboxRow.event_id).where(InboxRow.consumer == INBOUND_CONSUMER)
        received = {tuple(found) for found in view.session.exec(query)}
        for source, event_id in sorted(self._expected - received):
            yield f"event {source} {event_id}: accepted, and it never had its effect"
        yield from self._evaluations(view)
        for source, event_id in sorted((self._expected & received) - self._heard):
            yield f"event {source} {event_id}: received, and no trigger was asked"
        yield from self._facts_were_heard(view)
        yield from _runs_of_evaluations(view)

    def _evaluations(self, view: View) -> Iterator[str]:
        row = TriggerEvaluationRow
        columns = (col(row.seq), col(row.trigger), col(row.source), col(row.event_id))
        query = select(*columns).where(columns[0] > self._row).order_by(columns[0])
        for seq, trigger, source, event_id in view.session.exec(query).all():
            self._row = seq or self._row
            self._heard.add((source, event_id))
            key = (trigger or "", source, event_id)
            self._answered[key] += 1
            if self._answered[key] > 1:
                yield f"event {source} {event_id}: trigger {trigger} answered it {self._answered[key]} times"

    def _facts_were_heard(self, view: View) -> Iterator[str]:
        """Every fact up to the readers' cursor, by every trigger that listened to its type before it happened."""
        self._facts += [(row.seq or 0, str(row.id), row.type, row.time) for row in view.facts]
        triggers = view.session.exec(select(TriggerRow)).all()
        listeners = [(row.name, set(TriggerSpec.model_validate(row.spec).types), row.updated_at) for row in triggers]
        done = view.session.exec(select(CursorRow.seq).where(CursorRow.name == FACTS)).one_or_none() or 0
        for seq, fact_id, kind, time in self._facts:
            for name, types, since in listeners:
                if (
                    seq <= done
                    and kind in types
                    and since + SOON < time
                    and not self._answered[name, "graftwork", fact_id]
                ):
                    yield f"fact {seq} ({short(kind)}): reactions passed it, and trigger {name} never heard of it"
        self._facts = [fact for fact in self._facts if fact[0] > done]


def _runs_of_evaluations(view: View) -> Iterator[str]:
    query = select(TriggerEvaluationRow.run_id).where(TriggerEvaluationRow.outcome == "fired")
    fired = Counter(view.session.exec(query).all())
    runs = view.session.exec(select(PipelineRunRow.id).where(col(PipelineRunRow.trigger).is_not(None))).all()
    for run_id in set(runs) ^ set(fired):
        yield f"run {run_id}: it and an evaluation that fired do not know each other"
    for run_id, times in fired.items():
        if times > 1:
            yield f"run {run_id}: {times} evaluations say that they started it"


class Accepted:
    """What was accepted is there; a job's own check says so of jobs."""

    def judge(self, view: View) -> Iterator[str]:
        expected = view.expected
        for name, wanted, row in (
            ("run", expected.runs, PipelineRunRow),
            ("rollout", expected.rollouts, RolloutRow),
            ("rollback", expected.rollbacks, RollbackRow),
        ):
            for lost in set(wanted) - set(view.session.exec(select(row.id))):
                yield f"{name} {lost}: accepted, and it does not exist"


class NothingGoodIsBuried:
    """No dead letter but of events that were meant to end so, and no fact that the broker refused."""

    def __init__(self) -> None:
        self._known: set[UUID] = set()
        self._poison: set[tuple[str, str]] = set()

    def judge(self, view: View) -> Iterator[str]:
        self._poison |= view.expected.poison
        for row in view.session.exec(select(DeadLetterRow)).all():
            if row.id in self._known:
                continue
            self._known.add(row.id)
            headers = {name: base64.b64decode(value).decode(errors="replace") for name, value in row.headers}
            identity = (headers.get("ce_source", ""), headers.get("ce_id", ""))
            if identity not in self._poison:
                place = f"{row.topic}/{row.partition}/{row.offset}"
                yield f"dead letter: {identity} at {place} was good: {row.reason[:300]}"
        for seq in view.session.exec(select(ParkedEventRow.seq)):
            yield f"fact {seq}: the relay has parked it"


class KeysAnswerOnce:
    """Whoever repeats a request hears the same, and has done it once."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[int, str]] = {}
        self._stored: dict[tuple[str, str], tuple[int, Any]] = {}
        self._made: dict[str, tuple[str, str]] = {}
        """Id of what was made to its key."""
        self._since: datetime | None = None

    def judge(self, view: View) -> Iterator[str]:
        self._read(view)
        yield from self._answers(view)
        if view.expected.keyed:
            for name, route, query in MADE_BY:
                for identity in view.session.exec(query):
                    if str(identity) not in self._made:
                        yield f"{name} {identity}: no stored answer of {route} has made it: an effect without its key"

    def _read(self, view: View) -> None:
        query = select(IdempotencyRow)
        if self._since is not None:
            query = query.where(col(IdempotencyRow.at) > self._since)
        for row in view.session.exec(query).all():
            body = _json(row.body)
            self._stored[row.route, row.key] = (row.status, body)
            if isinstance(body, dict) and "id" in body:
                self._made.setdefault(str(body["id"]), (row.route, row.key))
        self._since = view.now - LATE

    def _answers(self, view: View) -> Iterator[str]:
        for answer in list(view.expected.answers):
            key = (answer.route, answer.key)
            first = self._told.setdefault(key, (answer.status, answer.body))
            if first != (answer.status, answer.body):
                yield f"key {answer.key} of {answer.route}: answered {first[0]} and then {answer.status}, or otherwise"
            stored = self._stored.get(key)
            if answer.status < 400 and (stored is None or stored != (answer.status, _json(answer.body))):
                yield f"key {answer.key} of {answer.route}: the answer that is stored is another one, or none"


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
