"""Jobs on both databases: who may claim, who may end, and what a late one may not change."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlmodel import select

from controlplane.commands.jobs import claims, outcomes, reports
from controlplane.commands.jobs.lifecycle import request_job
from controlplane.errors import Conflict, Invalid, LostLease, NotFound
from controlplane.store.database import Database
from controlplane.store.tables import ApiReplicaRow, JobLogRow, JobRow
from schemas.claims import ClaimRequest, Progress
from tests.support.builders.results import curated
from tests.support.builders.specs import CURATE
from tests.support.jobs import Jobs

EXPIRED = -1.0


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


def without_backoff(jobs: Jobs) -> None:
    with jobs.database.begin("test") as uow:
        uow.execute(update(JobRow).values(not_before=None))


# --- claims ---------------------------------------------------------------------------------------------------------


def test_the_oldest_job_of_a_workers_kinds_is_claimed_once(jobs: Jobs) -> None:
    first, second = jobs.request(), jobs.request()
    assert jobs.claim("train") is None
    assert jobs.claimed().job_id == first
    assert jobs.claimed("train", "curate").job_id == second
    assert jobs.claim() is None
    assert jobs.types() == ["job.requested"] * 2 + ["job.started"] * 2


def test_the_same_claim_id_gets_the_same_claim(jobs: Jobs) -> None:
    jobs.request()
    jobs.request()
    claim_id = uuid4()
    first = jobs.claim(claim_id=claim_id)
    assert first is not None
    assert jobs.claim(claim_id=claim_id) == first
    assert jobs.types().count("job.started") == 1


def test_the_same_claim_id_of_another_owner_gets_nothing(jobs: Jobs) -> None:
    jobs.request()
    jobs.request()
    claim_id = uuid4()
    first = jobs.claim(claim_id=claim_id)
    assert Jobs(jobs.database, owner="worker-2").claim(claim_id=claim_id) is None
    assert jobs.claim(claim_id=claim_id) == first
    assert jobs.types().count("job.started") == 1


def test_a_look_for_work_finds_what_a_claim_would_and_needs_no_write_lock(jobs: Jobs) -> None:
    request = ClaimRequest(kinds=("curate",), claim_id=uuid4(), owner=jobs.owner)
    with jobs.database.begin("the writer"), jobs.database.read() as session:
        assert not claims.find_work(session, request)
    jobs.request()
    with jobs.database.begin("the writer"), jobs.database.read() as session:
        assert claims.find_work(session, request)
    jobs.claim(claim_id=request.claim_id)
    with jobs.database.read() as session:
        assert claims.find_work(session, request)  # the answer was lost: it is asked again


def test_facts_of_one_job_are_one_chain_of_causes(jobs: Jobs) -> None:
    job_id = jobs.request()
    jobs.complete(jobs.claimed())
    facts = jobs.facts()
    assert jobs.types() == ["job.requested", "job.started", "job.succeeded", "dataset.version_created"]
    assert [fact.causationid for fact in facts[1:]] == [str(fact.id) for fact in facts[:-1]]
    assert {fact.correlationid for fact in facts} == {jobs.get(job_id).correlationid}


# --- heartbeats -----------------------------------------------------------------------------------------------------


def test_a_heartbeat_keeps_what_the_job_reports(jobs: Jobs) -> None:
    job_id = jobs.request()
    claim = jobs.claimed()
    before = jobs.get(job_id).lease_until
    assert not jobs.beat(claim, step=3, logs=("one", "two\x00")).cancel_requested
    job = jobs.get(job_id)
    assert job.lease_until is not None
    assert before is not None
    assert job.lease_until >= before
    assert job.progress is not None
    assert job.progress["step"] == 3
    assert job.checkpoint is not None
    with jobs.database.read() as session:
        assert [row.line for row in session.exec(select(JobLogRow))] == ["one", "two\ufffd"]


def test_a_metric_that_is_no_number_is_left_out(jobs: Jobs) -> None:
    job_id = jobs.request()
    jobs.beat(jobs.claimed(), progress=Progress(step=1, total=2, metrics={"loss": float("nan"), "lr": 0.5}))
    progress = jobs.get(job_id).progress
    assert progress is not None
    assert progress["metrics"] == {"lr": 0.5}


def test_a_log_has_an_end_and_says_so(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_LOG_LINES", 3)
    jobs.request()
    claim = jobs.claimed()
    jobs.beat(claim, logs=("1", "2"))
    jobs.beat(claim, logs=("3", "4"))
    jobs.beat(claim, logs=("5",))
    with jobs.database.read() as session:
        lines = [row.line for row in session.exec(select(JobLogRow))]
    assert lines[:2] == ["1", "2"]
    assert len(lines) == 3
    assert "ends here" in lines[2]


# --- ends -----------------------------------------------------------------------------------------------------------


def test_a_repeated_completion_answers_the_stored_result_and_changes_nothing(jobs: Jobs) -> None:
    jobs.request()
    claim = jobs.claimed()
    first = jobs.complete(claim)
    facts = len(jobs.facts())
    again = jobs.complete(claim, curated("f"))
    assert again.result == first.result
    assert again.phase == "Succeeded"
    assert len(jobs.facts()) == facts


def test_another_owner_cannot_complete(jobs: Jobs) -> None:
    job_id = jobs.request()
    claim = jobs.claimed()
    with pytest.raises(LostLease):
        Jobs(jobs.database, "thief").complete(claim)
    assert jobs.get(job_id).phase == "Running"


def test_a_zombie_changes_nothing_while_the_job_is_pending_again(jobs: Jobs) -> None:
    job_id = jobs.request()
    zombie = jobs.claimed(lease=EXPIRED)
    assert jobs.expire() == 1
    before = jobs.get(job_id)
    assert before.phase == "Pending"
    for late in (jobs.complete, jobs.fail, jobs.release, jobs.beat):
        with pytest.raises(LostLease):
            late(zombie)
    assert jobs.get(job_id) == before
    assert jobs.types() == ["job.requested", "job.started", "job.requested"]


def test_a_zombie_changes_nothing_while_another_attempt_runs(jobs: Jobs) -> None:
    job_id = jobs.request()
    zombie = jobs.claimed(lease=EXPIRED)
    jobs.expire()
    without_backoff(jobs)
    second = jobs.claimed()  # even by the same owner: the attempt is the fence
    assert second.attempt == zombie.attempt + 1
    for late in (jobs.complete, jobs.fail, jobs.release, jobs.beat):
        with pytest.raises(LostLease):
            late(zombie)
    assert jobs.complete(second).phase == "Succeeded"
    with pytest.raises(LostLease):
        jobs.complete(zombie)
    assert jobs.get(job_id).attempt == second.attempt


def test_a_job_that_is_not_there_is_not_found(jobs: Jobs) -> None:
    jobs.request()
    claim = jobs.claimed().model_copy(update={"job_id": uuid4()})
    for command in (jobs.complete, jobs.fail, jobs.release, jobs.beat):
        with pytest.raises(NotFound):
            command(claim)


def test_a_retryable_failure_waits_and_then_the_attempts_run_out(jobs: Jobs) -> None:
    job_id = jobs.request(max_attempts=2)
    jobs.beat(claim := jobs.claimed(), step=4)
    assert jobs.fail(claim).phase == "Pending"
    assert jobs.claim() is None  # not before its time
    without_backoff(jobs)
    began = jobs.get(job_id).started_at
    second = jobs.claimed()
    assert second.checkpoint is not None
    assert second.checkpoint.step == 4
    assert began is not None
    assert jobs.get(job_id).started_at == began  # the job's, not the attempt's
    assert jobs.fail(second, "broken again").phase == "Failed"
    assert jobs.get(job_id).reason == "broken again"
    assert jobs.types()[-1] == "job.failed"
    assert jobs.fail(second).phase == "Failed"  # a repeat


def test_a_failure_that_is_not_retryable_ends_the_job(jobs: Jobs) -> None:
    jobs.request()
    assert jobs.fail(jobs.claimed(), retryable=False).phase == "Failed"


def test_a_released_job_counts_no_failure_and_is_not_offered_to_that_owner_again(jobs: Jobs) -> None:
    job_id = jobs.request()
    jobs.release(jobs.claimed())
    job = jobs.get(job_id)
    assert (job.phase, job.failures, job.attempt) == ("Pending", 0, 1)
    assert jobs.claim() is None
    other = Jobs(jobs.database, 'wor"ker-1')
    assert other.claimed().attempt == 2


def test_of_many_that_released_a_job_the_latest_are_remembered(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST_REFUSALS", 2)
    jobs.request()
    owners = [Jobs(jobs.database, f"worker-{number}") for number in range(3)]
    for owner in owners:
        owner.release(owner.claimed())
    assert [owner.claim() for owner in owners[1:]] == [None, None]
    assert owners[0].claimed().attempt == 4


def test_a_pending_job_is_cancelled_at_once(jobs: Jobs) -> None:
    job_id = jobs.request()
    assert jobs.cancel(job_id).phase == "Cancelled"
    assert jobs.cancel(job_id).phase == "Cancelled"
    assert jobs.claim() is None
    assert jobs.types() == ["job.requested", "job.cancelled"]


@pytest.mark.parametrize("end", ["fail", "release", "expire"])
def test_a_running_job_is_cancelled_when_its_worker_confirms_or_goes_silent(jobs: Jobs, end: str) -> None:
    job_id = jobs.request()
    claim = jobs.claimed(lease=EXPIRED if end == "expire" else 30)
    assert jobs.cancel(job_id).phase == "Running"
    if end == "expire":
        jobs.expire()
    else:
        assert jobs.beat(claim).cancel_requested
        getattr(jobs, end)(claim)
    assert jobs.get(job_id).phase == "Cancelled"
    assert jobs.types()[-1] == "job.cancelled"


def test_a_job_that_finished_first_is_not_cancelled(jobs: Jobs) -> None:
    job_id = jobs.request()
    claim = jobs.claimed()
    jobs.cancel(job_id)
    assert jobs.complete(claim).phase == "Succeeded"
    assert jobs.cancel(job_id).phase == "Succeeded"


# --- leases ---------------------------------------------------------------------------------------------------------


def test_an_expired_lease_costs_an_attempt_until_none_is_left(jobs: Jobs) -> None:
    job_id = jobs.request(max_attempts=2)
    jobs.claimed(lease=EXPIRED)
    jobs.expire()
    without_backoff(jobs)
    jobs.claimed(lease=EXPIRED)
    jobs.expire()
    job = jobs.get(job_id)
    assert job.phase == "Failed"
    assert job.reason is not None
    assert "attempt 2" in job.reason


def test_a_lease_that_runs_does_not_expire(jobs: Jobs) -> None:
    jobs.request()
    jobs.claimed()
    assert jobs.expire() == 0


def test_no_lease_expires_before_an_api_has_lived_for_one_whole_lease(jobs: Jobs) -> None:
    jobs.request()
    jobs.claimed(lease=EXPIRED)
    assert jobs.expire(lease=30) == 0  # the API has just begun to live
    with jobs.database.begin("test") as uow:
        uow.execute(update(ApiReplicaRow).values(since=uow.now() - timedelta(seconds=31)))
    assert jobs.expire(lease=30) == 1


def test_after_a_gap_an_api_counts_as_new(jobs: Jobs) -> None:
    jobs.request()
    jobs.claimed(lease=EXPIRED)
    jobs.expire(lease=30)
    with jobs.database.begin("test") as uow:  # it slept: its last sign of life is old
        long_ago = uow.now() - timedelta(hours=1)
        uow.execute(update(ApiReplicaRow).values(since=long_ago, until=long_ago + timedelta(minutes=1)))
    assert jobs.expire(lease=30) == 0


# --- specs and results ----------------------------------------------------------------------------------------------


def test_a_result_of_another_kind_or_another_dataset_is_refused_and_nothing_changes(jobs: Jobs) -> None:
    job_id = jobs.request()
    claim = jobs.claimed()
    with pytest.raises(Invalid, match="dataset 'others'") as refused:
        jobs.complete(claim, curated(dataset="others"))
    assert refused.value.field == "result.dataset"
    assert jobs.get(job_id).phase == "Running"
    assert jobs.complete(claim).phase == "Succeeded"


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({**CURATE, "seeed": 1}, "spec.seeed", "expected no field of this name"),
        ({**CURATE, "sources": [{"uri": "ftp://x"}]}, "spec.sources.0.uri", "expected a URI that begins with file:"),
        ({**CURATE, "kind": "train"}, "spec.kind", "'curate' job"),
        ({**CURATE, "parent": "reviws@latest"}, "spec.parent", "did you mean 'reviews'"),
        ({**CURATE, "parent": "reviews/99"}, "spec.parent", "no dataset version 'reviews/99'"),
        ({**CURATE, "parent": "nonsense"}, "spec.parent", "name@latest"),
    ],
)
def test_a_wrong_spec_is_refused_with_its_field(jobs: Jobs, spec: dict[str, object], field: str, words: str) -> None:
    jobs.request()
    jobs.complete(jobs.claimed())
    with pytest.raises(Invalid, match=words) as refused, jobs.database.begin("tester") as uow:
        request_job(uow, "curate", spec)
    assert refused.value.field == field
    assert len(jobs.facts()) == 4


def test_a_repeated_cancel_of_nothing_is_not_found(jobs: Jobs) -> None:
    with pytest.raises((NotFound, Conflict)):
        jobs.cancel(uuid4())
