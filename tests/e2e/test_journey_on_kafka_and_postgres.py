"""The main job with every process on its own, on real Kafka and PostgreSQL, driven and judged from outside.

On the way a worker, the broker and the API are SIGKILLed, each while it is needed: nothing is lost or doubled.
"""

from uuid import UUID

import pytest

from tests.support import audit
from tests.support.broker import Broker
from tests.support.journey import DEPLOYMENT, JOB_SECONDS, MODEL, WAIVER, Journey
from tests.support.kcat import Kcat
from tests.support.processes import descendants, is_alive
from tests.support.waiting import wait_for
from tests.support.worlds.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(1200)]


def test_rows_become_a_champion_a_better_one_replaces_it_and_a_bad_one_does_not_whatever_is_killed(
    cluster: Cluster, mortal_kafka: Broker, postgres_url: str
) -> None:
    with cluster.client() as client:
        journey = Journey(cluster, Kcat(mortal_kafka.bootstrap_servers), client)
        journey.declare()
        orphaned = first_champion(journey, mortal_kafka)
        told_late = second_champion_by_canary(journey, postgres_url)
        bad_version_is_rolled_back(journey)
        judge(journey, postgres_url, orphaned, told_late)
    assert cluster.faults() == []


def first_champion(journey: Journey, broker: Broker) -> UUID:
    """While a worker and the broker are killed; the job that lost its worker."""
    run = journey.arrive(0)
    orphaned = kill_the_worker_that_trains(journey, run)
    kill_the_broker_between_two_jobs(journey, run, broker)
    released = journey.rollout_ends(journey.rollout_of(run))
    assert released.phase == "Promoted", released.reason
    assert released.previous is None
    journey.run_ends(run)
    serving = journey.client.served(DEPLOYMENT).desired
    assert serving is not None
    assert serving.stable == released.model_version_id
    return orphaned


def second_champion_by_canary(journey: Journey, postgres_url: str) -> UUID:
    """While the API is away; the job that could not tell it anything."""
    run = journey.arrive(1, structured=True)
    told_late = kill_the_api_for_longer_than_a_lease(journey, run, postgres_url)
    rollout = journey.rollout_of(run)
    with journey.users() as users:
        promoted = journey.rollout_ends(rollout)
    assert promoted.phase == "Promoted", promoted.reason
    assert promoted.verdict == "SAFE"
    assert users.served["canary"] > 0
    assert users.served["stable"] > 0
    journey.run_ends(run)
    return told_late


def bad_version_is_rolled_back(journey: Journey) -> None:
    client = journey.client
    run = journey.run_ends(client.run_pipeline("flipped").id)
    version = run.stages["train"].outputs["model_version"]
    rollout = client.start_rollout(DEPLOYMENT, version, reason="flipped labels", waive_gates=WAIVER)
    with journey.users():
        ended = journey.rollout_ends(rollout.id)
    assert ended.phase == "RolledBack", ended.reason
    assert ended.verdict == "HARM"
    assert ended.waived_gates == WAIVER
    assert client.get_model_version(f"{MODEL}@champion").id == journey.rollouts[1].model_version_id


def judge(journey: Journey, postgres_url: str, orphaned: UUID, told_late: UUID) -> None:
    found = audit.judge(journey.client, journey.kcat, postgres_url, MODEL)
    assert {job.phase for job in found.jobs} == {"Succeeded"}
    attempts = {job.id: (job.attempt, job.failures) for job in found.jobs}
    assert attempts.pop(orphaned) == (2, 1)
    assert attempts.pop(told_late) == (1, 0), "an outage of the API costs no attempt"
    assert set(attempts.values()) == {(1, 0)}
    assert [move.model_version_id for move in found.moves] == [r.model_version_id for r in journey.rollouts[:2]]
    told = [found.verdicts[rollout.id] for rollout in journey.rollouts]
    assert told[0][0] == "Passed"
    assert told[1][-1] == "SAFE"
    assert told[2][:2] == ["NotPassed", "Waived"]
    assert told[2][-1] == "HARM"


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
