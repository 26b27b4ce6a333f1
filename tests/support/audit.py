"""What must be true after a journey whatever happened on the way, seen through the API, the topics and the database."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from controlplane.client.client import Client
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import database_time
from schemas.facts import JobCancelled, JobFailed, JobSucceeded, ModelVersionCreated
from schemas.topics import ALL_TOPICS, FACT_TOPICS, topic_of
from schemas.views.aliases import Move
from schemas.views.jobs import JobView
from tests.support.kcat import Kcat, Record
from tests.support.waiting import wait_for

ENDS = {"Succeeded": JobSucceeded.TYPE, "Failed": JobFailed.TYPE, "Cancelled": JobCancelled.TYPE}


@dataclass(frozen=True)
class Findings:
    """What was found besides that all is well."""

    jobs: list[JobView]
    moves: list[Move]
    """Moves of the champion alias, oldest first."""
    verdicts: dict[UUID, list[str]]
    """The verdicts on each rollout, oldest first."""


def judge(client: Client, kcat: Kcat, database_url: str, model: str) -> Findings:
    """No job lost, no effect doubled, every fact told, every decision explained."""
    assert set(ALL_TOPICS) <= kcat.topics()
    log = read_log(database_url)
    records = every_fact_is_on_its_topic(kcat, log)
    jobs = each_job_ended_once(client, log, records)
    each_train_job_made_one_version(client, jobs, log)
    moves = history_is_unbroken(client, model, "champion")
    assert all(move.evidence_digest and move.verified for move in moves), moves
    return Findings(jobs, moves, every_decision_can_be_recomputed(client))


def read_log(database_url: str) -> list[EventRow]:
    """The whole event table, in its order."""
    database = Database(database_url)
    try:
        with database.read() as session:
            rows = list(session.exec(select(EventRow).order_by(col(EventRow.seq))))
            session.expunge_all()
            return rows
    finally:
        database.close()


def lease_is_over(database_url: str, job_id: UUID) -> bool:
    """By the database's clock."""
    database = Database(database_url)
    try:
        with database.read() as session:
            until = session.exec(select(JobRow.lease_until).where(JobRow.id == job_id)).one()
            return until is not None and until < database_time(session)
    finally:
        database.close()


def every_fact_is_on_its_topic(kcat: Kcat, log: list[EventRow]) -> list[Record]:
    """At least once each and nothing else, each key in the log's order; the records without repeats."""
    wanted = {str(row.id) for row in log}

    def read() -> list[Record] | None:
        found = [record for topic in FACT_TOPICS for record in kcat.read(topic)]
        return found if wanted <= {record.id for record in found} else None

    records = wait_for(read, "every fact of the log is on a topic", seconds=30)
    assert {record.id for record in records} == wanted
    once = list({record.id: record for record in reversed(records)}.values())[::-1]  # the first of each, in order
    for key in {row.subject for row in log}:
        assert [r.id for r in once if r.key == key] == [str(row.id) for row in log if row.subject == key], key
    for row in log:
        _travels_as_a_cloud_event(row, next(record for record in once if record.id == str(row.id)))
    return once


def _travels_as_a_cloud_event(row: EventRow, record: Record) -> None:
    headers: dict[str, Any] = {
        "ce_specversion": "1.0",
        "ce_id": str(row.id),
        "ce_source": row.source,
        "ce_type": row.type,
        "ce_subject": row.subject,
        "ce_correlationid": row.correlationid,
        "content-type": "application/json",
    }
    assert headers.items() <= record.headers.items(), record
    assert record.topic == topic_of(row.type)
    assert record.key == row.subject
    assert record.data == row.data


def each_job_ended_once(client: Client, log: list[EventRow], records: list[Record]) -> list[JobView]:
    """None lost, none with two ends, neither in the log nor for a reader of the topic who knows ids."""
    jobs = list(client.list_jobs())
    assert {job.phase for job in jobs} <= ENDS.keys(), [(job.kind, job.phase, job.reason) for job in jobs]
    expected = {(str(job.id), ENDS[job.phase]) for job in jobs}
    in_log = Counter((row.data["job_id"], row.type) for row in log if row.type in ENDS.values())
    on_topic = Counter((record.data["job_id"], record.type) for record in records if record.type in ENDS.values())
    assert set(in_log) == set(on_topic) == expected
    assert set(in_log.values()) == set(on_topic.values()) == {1}
    return jobs


def each_train_job_made_one_version(client: Client, jobs: list[JobView], log: list[EventRow]) -> None:
    trained = sorted(str(job.id) for job in jobs if job.kind == "train" and job.phase == "Succeeded")
    versions = [version for model in client.list_models() for version in client.list_model_versions(model.name)]
    assert sorted(str(version.job_id) for version in versions) == trained
    assert sorted(row.data["job_id"] for row in log if row.type == ModelVersionCreated.TYPE) == trained
    assert sorted(version.version for version in versions) == list(range(1, len(versions) + 1))


def history_is_unbroken(client: Client, model: str, alias: str) -> list[Move]:
    """Oldest first; each move begins where the one before has ended."""
    moves = list(client.alias_history(model, alias))[::-1]
    assert [move.previous for move in moves] == [None, *(move.model_version_id for move in moves[:-1])]
    assert client.get_alias(model, alias).id == moves[-1].id
    return moves


def every_decision_can_be_recomputed(client: Client) -> dict[UUID, list[str]]:
    """Verdicts by rollout, oldest first."""
    verdicts: dict[UUID, list[str]] = {}
    for rollout in client.list_rollouts():
        decisions = [client.why(decision.id) for decision in client.list_decisions(rollout.id)]
        assert all(decision.recomputed and decision.why for decision in decisions), decisions
        verdicts[rollout.id] = [decision.verdict for decision in decisions]
    return verdicts
