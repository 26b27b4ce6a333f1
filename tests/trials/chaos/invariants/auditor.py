"""Looks at a site from outside and says what is wrong, each look for the price of what is new."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from sqlmodel import Session, col, func, select

from controlplane.client.client import Client
from controlplane.commands.automation.inbound import INBOUND_CONSUMER
from controlplane.commands.spine.cursors import FACTS
from controlplane.store.serving_tables import RollbackRow, RolloutRow
from controlplane.store.spine_tables import CursorRow, EventRow, InboxRow
from controlplane.store.tables import JobRow, PipelineRunRow
from schemas.phases import FINAL_JOB_PHASES, FINAL_ROLLOUT_PHASES
from tests.trials.chaos.invariants.announced import Announced
from tests.trials.chaos.invariants.api import ApiAgrees
from tests.trials.chaos.invariants.artifacts import Artifacts
from tests.trials.chaos.invariants.effects import Accepted, InboundOnce, KeysAnswerOnce, NothingGoodIsBuried
from tests.trials.chaos.invariants.expected import Expected, Site
from tests.trials.chaos.invariants.jobs import JobLeases, JobLives, OneEffect, StaleAttempts
from tests.trials.chaos.invariants.leases import NamedLeases
from tests.trials.chaos.invariants.order import NoSecrets, OneOrder
from tests.trials.chaos.invariants.pointers import Aliases, Deployments, Rollouts
from tests.trials.chaos.invariants.serving import Feedback, Units, Users
from tests.trials.chaos.invariants.topics import TopicReader, TopicsAgree
from tests.trials.chaos.invariants.view import Check, Record, Snapshots, View

CHECKS: Final[tuple[type[Check], ...]] = (
    OneOrder,
    NoSecrets,
    TopicsAgree,
    Announced,
    JobLives,
    OneEffect,
    StaleAttempts,
    JobLeases,
    Aliases,
    Deployments,
    Rollouts,
    Artifacts,
    NamedLeases,
    Accepted,
    InboundOnce,
    NothingGoodIsBuried,
    KeysAnswerOnce,
    Users,
    Feedback,
    Units,
    ApiAgrees,
)

GLANCES: Final[tuple[type[Check], ...]] = (JobLeases, Deployments, NamedLeases, Artifacts)
"""What may be wrong for a moment only. They need no fact: a glance that an outage cuts short takes nothing away."""


class Topics(Protocol):
    """What is new on every topic of facts, to its present end."""

    def read(self) -> list[Record]: ...


class Auditor:
    """Keep one for as long as its site lives. What it has said once, it does not say again."""

    def __init__(self, site: Site, topics: Topics | None = None) -> None:
        self._site = site
        self._client = Client(site.api_url, site.admin_token)
        self._snapshots = Snapshots(site.database_url)
        self._topics = topics or (TopicReader(site.bootstrap_servers) if site.bootstrap_servers else None)
        self._checks = [check() for check in CHECKS]
        self._glances = [check() for check in GLANCES]
        self._said: set[str] = set()

    def look(self, expected: Expected) -> list[str]:
        """Everything, once the site is at rest (`pending` answers nothing, or was given its time)."""
        records = self._topics.read() if self._topics else []
        with self._snapshots.open() as session:
            facts = self._snapshots.new_facts(session)
            view = self._view(session, expected, facts=facts, records=records)
            return self._judged(self._checks, view)

    def glance(self, expected: Expected) -> list[str]:
        """What must hold at every moment: cheap, and for one thread. Raises what a database that is away raises."""
        with self._snapshots.open() as session:
            return self._judged(self._glances, self._view(session, expected))

    def pending(self, expected: Expected) -> list[str]:
        """What has not come to its end yet, and still may. Raises what a database that is away makes it raise."""
        with self._snapshots.open() as session:
            return list(_going_on(session, expected, relayed=self._topics is not None))

    def close(self) -> None:
        self._client.close()
        self._snapshots.close()

    def _view(self, session: Session, expected: Expected, **more: Any) -> View:
        return View(session, self._client, self._site, expected, now=self._snapshots.now(session), **more)

    def _judged(self, checks: Sequence[Check], view: View) -> list[str]:
        found = [said for check in checks for said in check.judge(view)]
        new = [said for said in dict.fromkeys(found) if said not in self._said]
        self._said.update(new)
        return new


def _going_on(session: Session, expected: Expected, *, relayed: bool) -> Iterator[str]:
    columns = (JobRow.id, JobRow.kind, JobRow.phase)
    for job_id, kind, phase in session.exec(select(*columns).where(col(JobRow.phase).not_in(sorted(FINAL_JOB_PHASES)))):
        yield f"{kind} job {job_id} is {phase}"
    going = select(RolloutRow.id, RolloutRow.phase).where(
        col(RolloutRow.phase).not_in(sorted(FINAL_ROLLOUT_PHASES)), RolloutRow.phase != "Paused"
    )
    for rollout_id, phase in session.exec(going):
        yield f"rollout {rollout_id} is {phase}"
    for rollback_id in session.exec(select(RollbackRow.id).where(RollbackRow.phase == "Verifying")):
        yield f"rollback {rollback_id} is being verified"
    for run_id in session.exec(select(PipelineRunRow.id).where(PipelineRunRow.phase == "Running")):
        yield f"run {run_id} is Running"
    received = {
        tuple(found)
        for found in session.exec(
            select(InboxRow.source, InboxRow.event_id).where(InboxRow.consumer == INBOUND_CONSUMER)
        )
    }
    for source, event_id in sorted(expected.events - received):
        yield f"event {source} {event_id} has not been received"
    last = session.exec(select(func.max(EventRow.seq))).one() or 0
    for name in ("relay", FACTS) if relayed else (FACTS,):
        at = session.exec(select(CursorRow.seq).where(CursorRow.name == name)).one_or_none() or 0
        if at < last:
            yield f"{name} is at fact {at} of {last}"
