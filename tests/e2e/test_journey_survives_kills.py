"""A worker, the broker and the API are SIGKILLed on the way, each while it is needed: nothing is lost or doubled."""

from uuid import UUID

import pytest

from tests.support import audit
from tests.support.broker import Broker
from tests.support.cargo import MODEL, reviews
from tests.support.journey import JOB_SECONDS, Journey
from tests.support.kcat import Kcat
from tests.support.processes import descendants, is_alive
from tests.support.waiting import wait_for
from tests.support.worlds.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.nightly, pytest.mark.timeout(1200)]


def test_a_killed_worker_broker_and_api_cost_time_and_nothing_else(
    cluster: Cluster, mortal_kafka: Broker, postgres_url: str
) -> None:
    with cluster.client() as client:
        journey = Journey(cluster, Kcat(mortal_kafka.bootstrap_servers), client, reviews(attacked=False))
        journey.declare()
        first = journey.arrive(0)
        orphaned = kill_the_worker_that_trains(journey, first)
        kill_the_broker_between_two_jobs(journey, first, mortal_kafka)
        assert journey.rollout_ends(journey.rollout_of(first)).phase == "Promoted"
        journey.run_ends(first)

        second = journey.arrive(1)
        told_late = kill_the_api_for_longer_than_a_lease(journey, second, postgres_url)
        rollout = journey.rollout_of(second)
        with journey.users():
            assert journey.rollout_ends(rollout).verdict == "SAFE"
        journey.run_ends(second)

        found = audit.judge(client, journey.kcat, postgres_url, MODEL)
    assert {job.phase for job in found.jobs} == {"Succeeded"}
    attempts = {job.id: (job.attempt, job.failures) for job in found.jobs}
    assert attempts.pop(orphaned) == (2, 1)
    assert attempts.pop(told_late) == (1, 0), "an outage of the API costs no attempt"
    assert set(attempts.values()) == {(1, 0)}
    assert [move.model_version_id for move in found.moves] == [r.model_version_id for r in journey.rollouts]
    assert cluster.faults() == []


def kill_the_worker_that_trains(journey: Journey, run: UUID) -> UUID:
    """Its job dies with it; another worker gets the job when the lease is over."""
    job, worker = journey.job_runs(run, "train")
    below = descendants(journey.cluster.running[worker].pid)
    assert below, "the job has a process of its own"
    journey.cluster.kill(worker)
    wait_for(lambda: not any(is_alive(pid) for pid in below), "the job's process dies with its worker")
    journey.cluster.start_worker("worker-3")
    return job


def kill_the_broker_between_two_jobs(journey: Journey, run: UUID, broker: Broker) -> None:
    """Without a broker no bell rings, and the work goes on."""
    journey.job_runs(run, "export")
    broker.kill()
    wait_for(lambda: journey.is_claimed(run, "evaluate"), "the run goes on without a broker", seconds=JOB_SECONDS)
    broker.restart()


def kill_the_api_for_longer_than_a_lease(journey: Journey, run: UUID, postgres_url: str) -> UUID:
    """The worker trains on meanwhile, and tells it when somebody listens again."""
    job, _ = journey.job_runs(run, "train")
    journey.cluster.kill("api")
    wait_for(lambda: audit.lease_is_over(postgres_url, job), "the lease of the running job is over")
    journey.cluster.start_api()
    return job
