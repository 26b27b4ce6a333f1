"""State and its announcement are one transaction: every row has its one fact, and every fact its row."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select

from controlplane.commands.automation.inbound import INBOUND_CONSUMER
from controlplane.store.serving_tables import GenerationRow, HoldRow, RollbackRow, RolloutRow
from controlplane.store.spine_tables import InboxRow
from controlplane.store.tables import (
    AliasHistoryRow,
    AttachmentRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    PipelineRunRow,
)
from schemas import facts
from schemas.cloudevent import EventData
from schemas.phases import FINAL_JOB_PHASES, FINAL_ROLLOUT_PHASES
from tests.trials.chaos.invariants.view import View, short

Data = Mapping[str, Any]
Rows = Callable[[Session], Collection[Any]]


@dataclass(frozen=True)
class Pair:
    """What one kind of fact says, and the rows that it says it of."""

    fact: type[EventData]
    says: Callable[[Data], Hashable]
    rows: Rows


def _ids(column: Any, *where: Any) -> Rows:
    return lambda session: [str(found) for found in session.exec(select(column).where(*where))]


def _ended(phase: str) -> Rows:
    return _ids(JobRow.id, col(JobRow.phase) == phase)


def _field(name: str) -> Callable[[Data], Hashable]:
    return lambda data: data[name]


def _attachments(session: Session) -> Collection[Any]:
    found = session.exec(select(AttachmentRow.model_version_id, AttachmentRow.kind, AttachmentRow.digest))
    return [(str(version), kind, digest) for version, kind, digest in found]


def _received(session: Session) -> Collection[Any]:
    query = select(InboxRow.source, InboxRow.event_id).where(InboxRow.consumer == INBOUND_CONSUMER)
    return [tuple(found) for found in session.exec(query)]


def _generations(session: Session) -> Collection[Any]:
    return [tuple(found) for found in session.exec(select(GenerationRow.deployment, GenerationRow.generation))]


PAIRS: Final = (
    Pair(facts.DatasetVersionCreated, _field("dataset_version_id"), _ids(DatasetVersionRow.id)),
    Pair(facts.ModelVersionCreated, _field("model_version_id"), _ids(ModelVersionRow.id)),
    Pair(facts.AttachmentAdded, lambda d: (d["model_version_id"], d["kind"], d["digest"]), _attachments),
    Pair(facts.AliasMoved, _field("history_id"), _ids(AliasHistoryRow.id)),
    Pair(facts.GenerationCreated, lambda d: (d["deployment"], d["generation"]), _generations),
    Pair(facts.RolloutStarted, _field("rollout_id"), _ids(RolloutRow.id)),
    Pair(
        facts.RolloutFinished,
        _field("rollout_id"),
        _ids(RolloutRow.id, col(RolloutRow.phase).in_(sorted(FINAL_ROLLOUT_PHASES))),
    ),
    Pair(
        facts.RollbackFinished, _field("rollback_id"), _ids(RollbackRow.id, col(RollbackRow.finished_at).is_not(None))
    ),
    Pair(facts.HoldPlaced, _field("hold_id"), _ids(HoldRow.id)),
    Pair(facts.HoldReleased, _field("hold_id"), _ids(HoldRow.id, col(HoldRow.released_at).is_not(None))),
    Pair(facts.PipelineRunStarted, _field("run_id"), _ids(PipelineRunRow.id)),
    Pair(
        facts.PipelineRunFinished,
        _field("run_id"),
        _ids(PipelineRunRow.id, col(PipelineRunRow.finished_at).is_not(None)),
    ),
    Pair(facts.InboundReceived, lambda d: (d["source"], d["event_id"]), _received),
    Pair(facts.JobSucceeded, _field("job_id"), _ended("Succeeded")),
    Pair(facts.JobFailed, _field("job_id"), _ended("Failed")),
    Pair(facts.JobCancelled, _field("job_id"), _ended("Cancelled")),
)
assert {"Succeeded", "Failed", "Cancelled"} == FINAL_JOB_PHASES


class Announced:
    def __init__(self) -> None:
        self._said: dict[str, set[Any]] = {pair.fact.TYPE: set() for pair in PAIRS}
        self._says = {pair.fact.TYPE: pair.says for pair in PAIRS}

    def judge(self, view: View) -> Iterator[str]:
        for row in view.facts:
            if row.type in self._says:
                said = self._says[row.type](row.data)
                if said in self._said[row.type]:
                    yield f"facts: {short(row.type)} of {said} was announced twice, again by fact {row.seq}"
                self._said[row.type].add(said)
        for pair in PAIRS:
            rows, announced = set(pair.rows(view.session)), self._said[pair.fact.TYPE]
            for missing in rows - announced:
                yield f"facts: {missing} is in the database and no {short(pair.fact.TYPE)} announces it"
            for missing in announced - rows:
                yield f"facts: {short(pair.fact.TYPE)} announces {missing}, which is not in the database"
