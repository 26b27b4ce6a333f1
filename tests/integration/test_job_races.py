"""Two at once, a hundred times, on both databases: one of them has the effect."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from controlplane.errors import LostLease
from controlplane.store.database import Database
from schemas.claims import Claim
from tests.support.builders.results import curated
from tests.support.jobs import Jobs

TRIES = 100


def at_once(*things: Callable[[], object]) -> list[object]:
    """What each answered, or the LostLease that it got."""

    def outcome(thing: Callable[[], object]) -> object:
        try:
            return thing()
        except LostLease as error:
            return error

    with ThreadPoolExecutor(len(things)) as pool:
        return [future.result() for future in [pool.submit(outcome, thing) for thing in things]]


def test_a_hundred_times_two_workers_claim_one_job_and_one_gets_it(open_database: Callable[[], Database]) -> None:
    one, two = Jobs(open_database(), "one"), Jobs(open_database(), "two")
    for _ in range(TRIES):
        job_id = one.request()
        got = [claim for claim in at_once(one.claim, two.claim) if isinstance(claim, Claim)]
        assert [claim.job_id for claim in got] == [job_id]
    assert one.types().count("job.started") == TRIES


def test_a_claim_that_is_sent_twice_at_once_is_one_claim(open_database: Callable[[], Database]) -> None:
    jobs, again = Jobs(open_database()), Jobs(open_database())
    for _ in range(TRIES // 4):
        jobs.request()
        jobs.request()
        claim_id = uuid4()
        first, second = at_once(lambda: jobs.claim(claim_id=claim_id), lambda: again.claim(claim_id=claim_id))  # noqa: B023
        assert isinstance(first, Claim)
        assert first == second
        jobs.claimed()


def test_a_hundred_times_a_completion_meets_the_expiry_of_its_lease(open_database: Callable[[], Database]) -> None:
    worker, reconciler = Jobs(open_database()), Jobs(open_database())
    for number in range(TRIES):
        job_id = worker.request(max_attempts=1)
        claim = worker.claimed(lease=-1)
        result = curated(digest="sha256:" + f"{number:064x}")
        answer, expired = at_once(lambda: worker.complete(claim, result), reconciler.expire)  # noqa: B023
        phase = worker.get(job_id).phase
        assert (phase, expired) in {("Succeeded", 0), ("Failed", 1)}
        assert isinstance(answer, LostLease) == (phase == "Failed")
    ends = [fact for fact in worker.types() if fact in ("job.succeeded", "job.failed")]
    assert len(ends) == TRIES
    assert worker.types().count("dataset.version_created") == ends.count("job.succeeded")


def test_two_curations_of_one_dataset_that_end_at_once_get_different_numbers(
    open_database: Callable[[], Database],
) -> None:
    one, two = Jobs(open_database(), "one"), Jobs(open_database(), "two")
    for number in range(TRIES // 4):
        one.request()
        two.request()
        claims = one.claimed(), two.claimed()
        digests = [f"sha256:{2 * number + n:064x}" for n in (0, 1)]
        at_once(
            lambda: one.complete(claims[0], curated(digest=digests[0])),  # noqa: B023
            lambda: two.complete(claims[1], curated(digest=digests[1])),  # noqa: B023
        )
    made = [fact.data["version"] for fact in one.facts() if "version_created" in fact.type]
    assert sorted(made) == list(range(1, 2 * (TRIES // 4) + 1))


def test_many_workers_share_many_jobs_and_each_job_is_done_once(open_database: Callable[[], Database]) -> None:
    requested = {Jobs(open_database()).request() for _ in range(40)}

    def work(name: str) -> list[UUID]:
        jobs, done = Jobs(open_database(), name), []
        while claim := jobs.claim():
            jobs.complete(claim, curated())
            done.append(claim.job_id)
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [job_id for ids in pool.map(work, ("a", "b", "c", "d")) for job_id in ids]
    assert sorted(done) == sorted(requested)
