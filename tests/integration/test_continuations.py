"""What goes on when something has ended: in the same transaction, before the commit, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import UUID

import pytest

from controlplane.commands.jobs.lifecycle import request_job
from controlplane.errors import Conflict
from controlplane.store.database import Database
from controlplane.store.ended import Ended, JobEnded
from controlplane.store.tables import JobRow
from controlplane.store.unit_of_work import Cause, ContinueWith, UnitOfWork
from tests.support.builders.specs import CURATE
from tests.support.jobs import Jobs

Continuing = Callable[..., Database]


@pytest.fixture
def continuing(database_url: str) -> Iterator[Continuing]:
    """Opens the test's database with what a test says goes on."""
    opened: list[Database] = []

    def open_one(continue_with: ContinueWith | None = None) -> Database:
        opened.append(Database(database_url, continue_with=continue_with))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def requested(uow: UnitOfWork) -> JobRow:
    return request_job(uow, "curate", CURATE)


def job_of(ended: Ended) -> UUID:
    assert isinstance(ended, JobEnded)
    return ended.job.id


def test_an_end_that_nothing_would_follow_is_refused_and_leaves_nothing(continuing: Continuing) -> None:
    jobs = Jobs(continuing())
    job_id = jobs.request()
    claim = jobs.claimed()
    with pytest.raises(RuntimeError, match="JobEnded: this database was opened without its continuations"):
        jobs.complete(claim)
    assert jobs.get(job_id).phase == "Running"
    assert jobs.types() == ["job.requested", "job.started"]


def test_what_follows_comes_before_the_commit_in_order_and_on_behalf_of_whoever_ended_it(
    continuing: Continuing,
) -> None:
    seen: list[tuple[str, Cause | None, UUID]] = []
    more: list[JobRow] = []

    def go_on(uow: UnitOfWork, ended: Ended) -> None:
        seen.append((uow.actor, uow.cause, job_of(ended)))
        if more:
            uow.has_ended(JobEnded(more.pop()))

    with continuing(go_on).begin("batch", Cause("outer")) as uow:
        first, second, third = (requested(uow) for _ in range(3))
        more.append(third)
        uow.actor, uow.cause = "one", Cause("journey")
        uow.has_ended(JobEnded(first))
        uow.actor, uow.cause = "two", None
        uow.has_ended(JobEnded(second))
        assert seen == []
    assert seen == [
        ("one", Cause("journey"), first.id),
        ("two", None, second.id),
        ("one", Cause("journey"), third.id),
    ]
    assert (uow.actor, uow.cause) == ("two", None)


def test_a_continuation_that_fails_takes_the_end_with_it(continuing: Continuing) -> None:
    def go_on(uow: UnitOfWork, ended: Ended) -> None:
        assert isinstance(ended, JobEnded)
        assert ended.job.phase == "Succeeded"
        raise ZeroDivisionError

    jobs = Jobs(continuing(go_on))
    job_id = jobs.request()
    claim = jobs.claimed()
    with pytest.raises(ZeroDivisionError):
        jobs.complete(claim)
    assert jobs.get(job_id).phase == "Running"
    assert jobs.types() == ["job.requested", "job.started"]


def test_what_ended_in_an_attempt_that_failed_has_not_ended(continuing: Continuing) -> None:
    seen: list[UUID] = []
    with continuing(lambda uow, ended: seen.append(job_of(ended))).begin("test") as uow:
        before, during, after = (requested(uow) for _ in range(3))
        uow.has_ended(JobEnded(before))
        with suppress(Conflict), uow.attempt():
            uow.has_ended(JobEnded(during))
            raise Conflict("not this one")
        uow.has_ended(JobEnded(after))
    assert seen == [before.id, after.id]


def test_ends_that_make_each_other_are_refused_and_leave_nothing(continuing: Continuing) -> None:
    jobs = Jobs(continuing(lambda uow, ended: uow.has_ended(ended)))
    jobs.request()
    claim = jobs.claimed()
    with pytest.raises(RuntimeError, match="more than 10000 ends in one unit of work"):
        jobs.complete(claim)
    assert jobs.get(claim.job_id).phase == "Running"
