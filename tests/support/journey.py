"""A cluster's way from nothing to a champion and on, told from outside; whatever the task."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from controlplane.cli.demo.rows import read_rows
from controlplane.cli.demo.story import SOURCE
from controlplane.client.client import Client
from schemas.topics import INBOUND
from schemas.views.jobs import JobView
from schemas.views.pipelines import RunView
from schemas.views.rollouts import RolloutDetail
from tests.support.cargo import MORE_TRAIN, Cargo
from tests.support.kcat import Kcat
from tests.support.users import Users
from tests.support.waiting import wait_for
from tests.support.worlds.cluster import Cluster

logger = logging.getLogger(__name__)
JOB_SECONDS = 400
"""A deadline for machines that do much else besides; nothing waits so long when all is well."""
WAIVER = "test: shows that a canary catches what a person waves through"


@dataclass
class Journey:
    """One cluster's way from nothing to a second champion, told from outside."""

    cluster: Cluster
    kcat: Kcat
    client: Client
    cargo: Cargo
    runs: list[RunView] = field(default_factory=list)
    rollouts: list[RolloutDetail] = field(default_factory=list)

    def declare(self) -> None:
        """What shall happen when rows arrive, and gateways for the deployment."""
        spec = dict(self.cargo.deployment)
        self.client.put_deployment(spec.pop("name"), spec)
        for wanted in self.cargo.pipelines:
            self.client.put_pipeline(wanted)
        self.client.put_trigger(self.cargo.trigger)
        self.cluster.start_gateways(self.cargo.case.deployment)

    def arrive(self, number: int, *, structured: bool = False) -> UUID:
        """Somebody publishes to Kafka that a batch of rows was collected; answers the run that it has started."""
        cargo = self.cargo
        event_id = f"batch-{number}-{uuid4()}"
        data: dict[str, Any] = {"offset": 0, "limit": cargo.first_batch, "parent": None, "epochs": cargo.epochs}
        if number:
            offset = cargo.first_batch + (number - 1) * MORE_TRAIN
            data |= {"offset": offset, "limit": MORE_TRAIN, "parent": f"{cargo.case.dataset}@latest"}
        attributes = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": cargo.case.event_type}
        if structured:
            envelope = {**attributes, "datacontenttype": "application/json", "data": data}
            headers: dict[str, str] = {"content-type": "application/cloudevents+json"}
            self.kcat.publish(INBOUND, event_id, headers, envelope)
        else:
            headers = {f"ce_{name}": value for name, value in attributes.items()}
            self.kcat.publish(INBOUND, event_id, {**headers, "content-type": "application/json"}, data)
        return wait_for(lambda: self._run_of(event_id), f"event {event_id} starts a run", seconds=60)

    def job_runs(self, run_id: UUID, stage: str) -> tuple[UUID, str]:
        """Waits until that stage's job runs; the job, and the name of the worker that does it."""

        def look() -> tuple[UUID, str] | None:
            job_id = self.client.get_run(run_id).stages[stage].job_id
            job = self.client.get_job(job_id) if job_id else None
            if job is None or job.phase != "Running" or job.progress is None or job.owner is None:
                return None
            return job.id, job.owner.rpartition("-")[0]

        return wait_for(look, f"the job of {stage} runs and says how far it is", seconds=JOB_SECONDS)

    def is_claimed(self, run_id: UUID, stage: str) -> bool:
        """A worker has found that stage's job."""
        job_id = self.client.get_run(run_id).stages[stage].job_id
        return job_id is not None and self.client.get_job(job_id).attempt > 0

    def rollout_of(self, run_id: UUID) -> UUID:
        def look() -> UUID | None:
            run = self.client.get_run(run_id)
            assert run.phase in ("Running", "Succeeded"), run.model_dump_json(indent=1)
            return run.stages["release"].rollout_id

        return wait_for(look, "the run puts its version on its way", seconds=JOB_SECONDS)

    def rollout_ends(self, rollout_id: UUID) -> RolloutDetail:
        try:
            ended = self.client.wait_for_rollout(rollout_id, seconds=JOB_SECONDS)
        except TimeoutError as late:
            seen = self.client.get_rollout(rollout_id)
            raise AssertionError(f"{late}: {seen.phase} at {seen.weight:.0%}, {seen.reason}: {seen.analysis}") from late
        self.rollouts.append(ended)
        logger.info("rollout %s: %s: %s; %s", ended.phase, ended.reason, ended.analysis, _seconds(ended))
        return ended

    def run_ends(self, run_id: UUID) -> RunView:
        ended = self.client.wait_for_run(run_id, seconds=JOB_SECONDS)
        assert ended.phase == "Succeeded", ended.model_dump_json(indent=1)
        self.runs.append(ended)
        logger.info("run of %s: %s", ended.pipeline, _seconds(ended))
        for job in self.client.list_jobs(run=run_id):
            cpu = job.usage.cpu_seconds if job.usage else 0
            score = next(iter((job.result or {}).get("measurements", ())), None)
            logger.info("job %s: attempt %d, %s, %.1f CPU s %s", job.kind, job.attempt, _seconds(job), cpu, score or "")
        return ended

    @contextmanager
    def users(self, per_second: float = 40) -> Iterator[Users]:
        """Validation rows as live traffic to both gateways. Nobody is ever turned away."""
        case = self.cargo.case
        manifest = self.client.get_dataset_version(f"{case.dataset}@latest").manifest
        rows = read_rows(self.cluster.artifacts, manifest, "validation", case.columns)
        gateways, token = list(self.cluster.gateways.values()), self.cluster.token("feedback")
        with Users(gateways, self.cluster.api_url, token, rows, per_second, self.cargo.user) as users:
            yield users
        assert not users.failures, users.failures[:5]

    def _run_of(self, event_id: str) -> UUID | None:
        asked = list(self.client.list_evaluations(trigger=self.cargo.trigger["name"], event=event_id))
        if not asked:
            return None
        assert asked[0].outcome == "fired", asked[0]
        return asked[0].run_id


def _seconds(ended: RunView | RolloutDetail | JobView) -> str:
    since = ended.created_at
    return f"{(ended.finished_at - since).total_seconds():.1f} s" if ended.finished_at else "not ended"
