"""The main job with every process on its own, on real Kafka and PostgreSQL, driven and judged from outside."""

import pytest

from tests.support import audit
from tests.support.broker import Broker
from tests.support.cargo import Cargo, planted_reviews, reviews, texts
from tests.support.journey import WAIVER, Journey
from tests.support.kcat import Kcat
from tests.support.worlds.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(1200)]


@pytest.fixture(
    params=[
        pytest.param("text-classification", marks=pytest.mark.nightly),
        "planted-text-classification",
        "planted-text-generation",
    ]
)
def cargo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Cargo:
    """Asked for before the cluster, whose workers may read its files."""
    if request.param == "text-classification":
        return reviews()
    folder = tmp_path_factory.mktemp("files")
    monkeypatch.setenv("GRAFTWORK_FILE_ROOTS", str(folder))
    return planted_reviews(folder) if "classification" in request.param else texts(folder)


def test_rows_become_a_champion_a_better_one_replaces_it_and_a_bad_one_does_not(
    cargo: Cargo, cluster: Cluster, kafka: Broker, postgres_url: str
) -> None:
    with cluster.client() as client:
        journey = Journey(cluster, Kcat(kafka.bootstrap_servers), client, cargo)
        journey.declare()
        first_champion(journey)
        second_champion_by_canary(journey)
        bad_version_is_rolled_back(journey)
        judge(journey, postgres_url)
    assert cluster.faults() == []


def first_champion(journey: Journey) -> None:
    run = journey.arrive(0)
    released = journey.rollout_ends(journey.rollout_of(run))
    assert released.phase == "Promoted", released.reason
    assert released.previous is None
    journey.run_ends(run)
    serving = journey.client.served(journey.cargo.case.deployment).desired
    assert serving is not None
    assert serving.stable == released.model_version_id


def second_champion_by_canary(journey: Journey) -> None:
    run = journey.arrive(1, structured=True)
    rollout = journey.rollout_of(run)
    with journey.users() as users:
        promoted = journey.rollout_ends(rollout)
    assert promoted.phase == "Promoted", promoted.reason
    assert promoted.verdict == "SAFE"
    assert users.served["canary"] > 0
    assert users.served["stable"] > 0
    journey.run_ends(run)


def bad_version_is_rolled_back(journey: Journey) -> None:
    client, case = journey.client, journey.cargo.case
    run = journey.run_ends(client.run_pipeline(case.bad).id)
    version = run.stages["train"].outputs["model_version"]
    rollout = client.start_rollout(case.deployment, version, reason=case.bad_in_words, waive_gates=WAIVER)
    with journey.users():
        ended = journey.rollout_ends(rollout.id)
    assert ended.phase == "RolledBack", ended.reason
    assert ended.verdict == "HARM"
    assert ended.waived_gates == WAIVER
    assert client.get_model_version(f"{case.model}@champion").id == journey.rollouts[1].model_version_id


def judge(journey: Journey, postgres_url: str) -> None:
    found = audit.judge(journey.client, journey.kcat, postgres_url, journey.cargo.case.model)
    assert {job.phase for job in found.jobs} == {"Succeeded"}
    assert [move.model_version_id for move in found.moves] == [r.model_version_id for r in journey.rollouts[:2]]
    told = [found.verdicts[rollout.id] for rollout in journey.rollouts]
    assert told[0][0] == "Passed"
    assert told[1][-1] == "SAFE"
    assert told[2][:2] == ["NotPassed", "Waived"]
    assert told[2][-1] == "HARM"
